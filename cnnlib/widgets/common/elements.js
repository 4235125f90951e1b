// Small makers of HTML, shared by the widgets. Nothing is drawn twice: elements stay, text changes.

// A page may run this module several times: once for each kind of widget, in Jupyter for each widget.
const RUN = Math.random().toString(36).slice(2);
let ids = 0;

/** An id that no other element of the page has. */
export function freshId(name) {
  ids += 1;
  return `cnn-${name}-${RUN}-${ids}`;
}

/**
 * An element with attributes (a property where the name is one) and children.
 * @param {string} tag @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/** A division with a class and children. */
export function div(className, ...children) {
  return element("div", { className }, ...children);
}

/**
 * The outermost element of a widget, whose keys are its own: in command mode a Jupyter notebook
 * would take the arrow keys for its cells, and cut a cell at an X. What has the focus must itself
 * say that it wants none of that.
 */
export function widgetRoot(root) {
  const outer = div("cnn-widget", root);
  outer.addEventListener("focusin", ({ target }) => {
    setAttribute(target, "data-lm-suppress-shortcuts", "true");
  });
  return outer;
}

/** Set a text only where it differs: an untouched node costs the browser nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute only where it differs; null or false takes it away. */
export function setAttribute(node, name, value) {
  const wanted = value === null || value === false ? null : String(value);
  if (node.getAttribute(name) === wanted) return;
  if (wanted === null) node.removeAttribute(name);
  else node.setAttribute(name, wanted);
}

/**
 * A text with places for terms, each a span of its own class: "{pixel} × {weight}".
 * @param {string} text @param {string} className
 */
export function template(text, className) {
  const root = element("p", { className });
  const terms = {};
  for (const [i, part] of text.split(/\{(\w+)\}/).entries()) {
    if (i % 2) terms[part] = element("span", { className: `cnn-term cnn-term-${part}` });
    root.append(i % 2 ? terms[part] : part);
  }
  /** @param {Record<string, unknown>} values */
  const write = (values) => {
    for (const [name, node] of Object.entries(terms)) setText(node, String(values[name]));
  };
  return { root, write };
}

/**
 * A labelled slider that shows its number.
 * @param {string} label @param {[number, number]} range @param {(value: number) => void} onChange
 */
export function slider(label, [min, max], onChange) {
  const id = freshId("slider");
  const input = element("input", { type: "range", id, min, max, step: 1 });
  const output = element("output", { htmlFor: id });
  input.addEventListener("input", () => onChange(Number(input.value)));
  const head = div("cnn-slider-head", element("label", { htmlFor: id }, label), output);
  const root = div("cnn-slider", head, input);
  /** @param {number} value @param {string} [text] */
  const show = (value, text = String(value)) => {
    if (Number(input.value) !== value) input.value = String(value);
    setText(output, text);
    setAttribute(input, "aria-valuetext", text === String(value) ? null : text);
  };
  return { root, input, show };
}

/**
 * A labelled list to choose from. A last option, hidden until it is the value, stands for "custom".
 * @param {string} label @param {[string, string][]} options value and text
 * @param {(value: string) => void} onChange
 */
export function choice(label, options, onChange) {
  const id = freshId("choice");
  const select = element("select", { id });
  for (const [value, text] of options) select.append(element("option", { value }, text));
  select.lastChild.hidden = true;
  select.addEventListener("change", () => onChange(select.value));
  const root = div("cnn-choice", element("label", { htmlFor: id }, label), select);
  const show = (value) => {
    if (select.value !== value) select.value = value;
  };
  return { root, select, show };
}

/**
 * A button: a drawn sign, words, or both. Without visible words the label is for assistive tools.
 * @param {string} label @param {() => void} onClick
 * @param {{ icon?: string, quiet?: boolean }} [look]
 */
export function button(label, onClick, { icon = "", quiet = false } = {}) {
  const className = quiet ? "cnn-icon-button" : "cnn-button";
  const root = element("button", { type: "button", className });
  const sign = { className: `cnn-icon cnn-icon-${icon}`, "aria-hidden": "true" };
  if (icon) root.append(element("span", sign));
  if (quiet) Object.assign(root, { title: label }).setAttribute("aria-label", label);
  else root.append(element("span", {}, label));
  root.addEventListener("click", onClick);
  return root;
}

/**
 * One of a few, as a row of radio buttons.
 * @param {string} legend @param {[string, string][]} options value and text
 * @param {(value: string) => void} onChange
 */
export function segments(legend, options, onChange) {
  const name = freshId("segments");
  const className = "cnn-segments";
  const root = element("fieldset", { className }, element("legend", {}, legend));
  const radios = options.map(([value, text]) => {
    const radio = element("input", { type: "radio", name, value });
    radio.addEventListener("change", () => onChange(value));
    root.append(element("label", {}, radio, element("span", {}, text)));
    return radio;
  });
  const show = (value) => {
    for (const radio of radios) radio.checked = radio.value === value;
  };
  return { root, show };
}
