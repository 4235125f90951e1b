// Brings a page's widgets to life without a kernel: no require.js, no html-manager, no request.
//
// A built notebook page holds the state of its widgets and, where one was shown, a view, both as
// JSON in <script> elements. This script makes the models, joins what `link` and `jslink` joined,
// loads the ES modules of anywidgets, and draws. What is drawn for a reader without scripts, an
// element with the attribute `data-widget-fallback` beside the view, steps back.
//
// A script, and so is all that it loads: of a page that is read from disk, browsers refuse files of
// modules and requests for data.

(async () => {
"use strict";

/** What this host can do. The build reads this line, and refuses a page that needs more (the models
 * that carry spacing and colours, Layout and Style, are left to the page). */
const KINDS = ["AnyModel", "BoxModel", "ButtonModel", "CheckboxModel", "DirectionalLinkModel", "DropdownModel", "FloatSliderModel", "HBoxModel", "HTMLModel", "IntSliderModel", "LabelModel", "LinkModel", "ToggleButtonsModel", "VBoxModel"];

const WORDS = {
  en: {
    failed: "This widget could not be drawn: {reason}",
    unknown: "this page cannot draw the kind {kind}",
    missing: "the page holds no state for it",
    unread: "{file} cannot be read",
    needsPython: "This button works where Python runs: open the page as a notebook.",
  },
};
const language = document.documentElement.lang;
const words = WORDS[language] ?? WORDS[language.split("-")[0]] ?? WORDS.en;

const STYLE = `
.live-widget { max-width: 100%; }
.lw-box { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; }
.lw-column { flex-flow: column; align-items: stretch; }
.lw-box > * { min-width: 0; }
.lw-wide { flex: 1 1 100%; }
.lw-control { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; margin: 0; padding: 0; border: 0; }
.lw-control input[type=range] { width: 12rem; max-width: 100%; min-height: 1.5rem; }
.lw-control output { min-width: 3ch; font-variant-numeric: tabular-nums; }
.lw-control legend { float: left; width: auto; margin: 0 .75rem 0 0; font-size: inherit; }
.lw-control label { display: flex; flex-wrap: wrap; gap: .375rem; align-items: center; min-height: 1.5rem; }
.lw-alert { padding: .5rem .75rem; border-left: 4px solid; }
`;

// Models

/** What a module may ask about the page: when all of its widgets are drawn. Only this host's models
 * have it, by which a module knows that the address is the page's (`cnnlib`'s share.js). */
let sayDrawn;
const page = { drawn: new Promise((resolve) => (sayDrawn = resolve)) };

/** @typedef {ReturnType<typeof createModel>} Model */

/** Whether two values of traits are the same: numbers, texts, and lists and objects of them. */
function equal(a, b) {
  return Object.is(a, b) || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
}

/** A model as an anywidget module knows it. Its only home is this page. */
function createModel(id, kind, state) {
  /** @type {Map<string, Set<Function>>} */
  const listeners = new Map();
  const emit = (name, ...values) => [...(listeners.get(name) ?? [])].forEach((callback) => callback(...values));
  const model = {
    id,
    kind,
    page,
    keys: () => Object.keys(state),
    get: (name) => state[name],
    set(name, value) {
      if (typeof name === "object") return Object.entries(name).forEach((entry) => model.set(...entry));
      if (equal(state[name], value)) return;
      state[name] = value;
      emit(`change:${name}`, model, value);
      emit("change", model);
    },
    on(names, callback) {
      for (const name of names.split(" ")) listeners.set(name, (listeners.get(name) ?? new Set()).add(callback));
    },
    off(names, callback) {
      for (const name of names?.split(" ") ?? listeners.keys()) {
        if (callback) listeners.get(name)?.delete(callback);
        else listeners.delete(name);
      }
    },
    save_changes() {}, // the page has no kernel to save to,
    send() {}, // and none to answer
    widget_manager: { get_model: async (wanted) => resolve(wanted) },
  };
  return model;
}

/** Put the binary traits, kept beside the state as base64, back into it. */
function withBuffers({ state, buffers = [] }) {
  for (const { path, data } of buffers) {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const holder = path.slice(0, -1).reduce((value, key) => value[key], state);
    holder[path.at(-1)] = new DataView(bytes.buffer);
  }
  return state;
}

const scripts = (kind) => [...document.querySelectorAll(`script[type="application/vnd.jupyter.widget-${kind}+json"]`)];

/** @type {Map<string, Model>} */
const models = new Map();
for (const script of scripts("state")) {
  for (const [id, saved] of Object.entries(JSON.parse(script.textContent).state)) {
    models.set(id, createModel(id, saved.model_name, withBuffers(saved)));
  }
}

/** The model that an id, or a reference such as "IPY_MODEL_id", names. */
function resolve(reference) {
  const model = models.get(reference.replace("IPY_MODEL_", ""));
  if (!model) throw new Error(words.missing);
  return model;
}

/** Join two traits. A set of an equal value is no change, so a ring of links comes to rest. */
function join(link) {
  const end = ([reference, trait]) => ({ model: resolve(reference), trait });
  const carry = (from, to) => {
    const pass = () => to.model.set(to.trait, from.model.get(from.trait));
    from.model.on(`change:${from.trait}`, pass);
    return pass;
  };
  try {
    const [source, target] = [end(link.get("source")), end(link.get("target"))];
    carry(source, target)();
    if (link.kind === "LinkModel") carry(target, source);
  } catch (error) {
    console.warn(error); // where the page does not hold an end, there is nothing to join
  }
}

// Anywidgets

/** @type {Map<string, Promise<any>>} */
const modules = new Map(); // one import for each text, however many widgets share it
const styles = new Set();
/** @type {Map<string, Promise<any>>} */
const files = new Map(); // and one reading for each file
const isFile = (value) => typeof value === "string" && /^[./]*[\w/-]+-[0-9a-f]{12}\.js$/.test(value);

/** What the build has put into a file: a script, which hands it over by the element that loads it. */
function readFile(address) {
  if (!files.has(address)) {
    files.set(address, new Promise((resolve, reject) => {
      const script = make("script", { src: address });
      const fail = () => reject(new Error(words.unread.replace("{file}", address)));
      Object.assign(script, { onload: () => (script.held ? resolve(script.held) : fail()), onerror: fail });
      document.head.append(script);
    }));
  }
  return files.get(address);
}

/** A module from its text, or from the function that a file of the build holds in its place. */
function importModule(source) {
  const load = () => {
    if (typeof source === "function") return source();
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    return import(url).finally(() => URL.revokeObjectURL(url));
  };
  if (!modules.has(source)) modules.set(source, load());
  return modules.get(source);
}

function addStyle(text) {
  if (!text || styles.has(text)) return;
  styles.add(text);
  document.head.append(make("style", { textContent: text }));
}

/** Load an anywidget's files and module, and let it prepare its model, once. */
async function prepare(model) {
  const kept = model.keys().filter((name) => isFile(model.get(name)));
  await Promise.all(kept.map(async (name) => model.set(name, await readFile(model.get(name)))));
  const { default: entry } = await importModule(model.get("_esm"));
  addStyle(model.get("_css"));
  const widget = typeof entry === "function" ? await entry() : entry;
  await widget.initialize?.({ model });
  return widget;
}

/** @type {Map<Model, Promise<any>>} */
const prepared = new Map();

// Views: each draws a model into an element, and may return a function that undoes it

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** Call now, and again whenever one of the traits changes. */
function follow(model, traits, update) {
  const names = traits.map((trait) => `change:${trait}`).join(" ");
  model.on(names, update);
  update();
  return () => model.off(names, update);
}

function drawSlider(model, el) {
  const [label, input, output] = [make("span"), make("input", { type: "range" }), make("output")];
  el.append(make("div", { className: "lw-control" }, make("label", {}, label, input), output));
  const places = /\.(\d+)f/.exec(model.get("readout_format"))?.[1];
  const read = () => model.set("value", Number(input.value));
  input.addEventListener(model.get("continuous_update") === false ? "change" : "input", read);
  return follow(model, ["value", "min", "max", "step", "description", "disabled", "readout"], () => {
    const [value, step] = [model.get("value"), model.get("step") ?? "any"];
    Object.assign(input, { min: model.get("min"), max: model.get("max"), step, disabled: model.get("disabled") });
    input.value = value;
    label.textContent = model.get("description");
    output.textContent = places === undefined ? value : value.toFixed(places);
    output.hidden = model.get("readout") === false;
  });
}

function drawDropdown(model, el) {
  const [label, select] = [make("span"), make("select")];
  el.append(make("label", { className: "lw-control" }, label, select));
  select.addEventListener("change", () => model.set("index", select.selectedIndex));
  return follow(model, ["index", "_options_labels", "description", "disabled"], () => {
    const texts = model.get("_options_labels");
    if (!equal(texts, [...select.options].map((option) => option.text))) {
      select.replaceChildren(...texts.map((text) => make("option", { text })));
    }
    select.selectedIndex = model.get("index") ?? -1;
    select.disabled = model.get("disabled");
    label.textContent = model.get("description");
  });
}

function drawCheckbox(model, el) {
  const [label, input] = [make("span"), make("input", { type: "checkbox" })];
  el.append(make("label", { className: "lw-control" }, input, label));
  input.addEventListener("change", () => model.set("value", input.checked));
  return follow(model, ["value", "description", "disabled"], () => {
    Object.assign(input, { checked: model.get("value"), disabled: model.get("disabled") });
    label.textContent = model.get("description");
  });
}

let groups = 0;

function drawToggleButtons(model, el) {
  const [legend, name] = [make("legend"), `lw-${(groups += 1)}`];
  const root = el.appendChild(make("fieldset", { className: "lw-control" }, legend));
  return follow(model, ["index", "_options_labels", "description", "disabled"], () => {
    const texts = model.get("_options_labels");
    if (!equal(texts, [...root.querySelectorAll("label")].map((label) => label.textContent))) {
      const choice = (text, index) => {
        const radio = make("input", { type: "radio", name });
        radio.addEventListener("change", () => model.set("index", index));
        return make("label", {}, radio, text);
      };
      root.replaceChildren(legend, ...texts.map(choice));
    }
    [...root.querySelectorAll("input")].forEach((radio, i) => (radio.checked = i === model.get("index")));
    Object.assign(root, { disabled: model.get("disabled") });
    Object.assign(legend, { textContent: model.get("description"), hidden: !model.get("description") });
  });
}

/** A button's only act is to call Python, so on a page without it the button says so. */
function drawButton(model, el) {
  const button = el.appendChild(make("button", { type: "button", disabled: true, title: words.needsPython }));
  return follow(model, ["description"], () => (button.textContent = model.get("description")));
}

const drawText = (property) => (model, el) => {
  const [label, value] = [make("span"), make("div")];
  el.append(make("div", { className: "lw-control" }, label, value));
  return follow(model, ["value", "description"], () => {
    Object.assign(label, { textContent: model.get("description"), hidden: !model.get("description") });
    value[property] = model.get("value");
  });
};

const drawBox = (className) => async (model, el) => {
  const root = el.appendChild(make("div", { className: `lw-box ${className}` }));
  let undo = [];
  const draw = async () => {
    undo.splice(0).forEach((each) => each());
    root.replaceChildren();
    undo = await Promise.all(model.get("children").map((child) => {
      const place = root.appendChild(make("div"));
      return view(child, place);
    }));
  };
  await draw();
  model.on("change:children", draw);
  return () => undo.forEach((each) => each());
};

const VIEWS = {
  AnyModel: async (model, el) => {
    el.classList.add("lw-wide");
    return (await prepared.get(model)).render?.({ model, el });
  },
  BoxModel: drawBox(""),
  ButtonModel: drawButton,
  CheckboxModel: drawCheckbox,
  DropdownModel: drawDropdown,
  FloatSliderModel: drawSlider,
  HBoxModel: drawBox(""),
  HTMLModel: drawText("innerHTML"),
  IntSliderModel: drawSlider,
  LabelModel: drawText("textContent"),
  ToggleButtonsModel: drawToggleButtons,
  VBoxModel: drawBox("lw-column"),
};

/** Draw what a reference names. What fails says so in its place, and the page lives on. */
async function view(reference, el) {
  try {
    const model = resolve(reference);
    const draw = VIEWS[model.kind];
    if (!draw) throw new Error(words.unknown.replace("{kind}", model.kind));
    const undo = await draw(model, el);
    return typeof undo === "function" ? undo : () => {};
  } catch (error) {
    console.warn(error);
    const textContent = words.failed.replace("{reason}", error?.message ?? error);
    el.replaceChildren(make("p", { className: "lw-alert", role: "alert", textContent }));
    return () => {};
  }
}

/** Draw one view of the page, then take its fallback away in the same frame: nothing jumps. */
async function mount(script) {
  const el = make("div", { className: "live-widget" });
  script.after(el);
  await view(JSON.parse(script.textContent).model_id, el);
  const fallback = script.parentElement.querySelector(":scope > [data-widget-fallback]");
  if (fallback) fallback.hidden = !el.querySelector(":scope > .lw-alert");
}

/** Whether the browser has read an element to its end: something follows it, or what holds it. */
function isRead(element) {
  for (let node = element; node; node = node.parentElement) if (node.nextSibling) return true;
  return document.readyState !== "loading";
}

/** Draw every view of the page, each as soon as the browser has read its place. */
async function mountAll() {
  const mounted = new Map();
  const mountRead = () => {
    for (const script of scripts("view")) {
      if (!mounted.has(script) && isRead(script.parentElement)) mounted.set(script, mount(script));
    }
  };
  const reading = new MutationObserver(mountRead);
  reading.observe(document, { childList: true, subtree: true });
  if (document.readyState === "loading") {
    await new Promise((go) => document.addEventListener("DOMContentLoaded", go, { once: true }));
  }
  reading.disconnect();
  mountRead();
  await Promise.all(mounted.values());
}

addStyle(STYLE);
for (const model of models.values()) if (model.kind === "AnyModel") prepared.set(model, prepare(model));
for (const model of models.values()) if (/LinkModel$/.test(model.kind)) join(model);
await mountAll();
sayDrawn();
})();
