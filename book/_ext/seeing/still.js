// What stands for each view of a page where no script runs: what was drawn, as HTML that rests.
//
// Canvases become pictures, controls are off. Nothing is read out, nothing takes the focus but what
// scrolls, and no id or name is one that the living widget has, beside which the still stands.
() => {
  /** Parts of a widget that one works with, as parts that one only reads. */
  const ROLES = {
    alert: null, application: null, status: null,
    grid: "table", gridcell: "cell", treegrid: "table",
  };
  const WORKING = [
    "aria-expanded", "aria-invalid", "aria-level", "aria-live", "aria-selected",
    "data-lm-suppress-shortcuts", "data-share",
  ];
  const NAMING = ["aria-controls", "aria-describedby", "aria-labelledby", "for"];
  let names = 0;

  const title = (element) => element.closest("[role=group][aria-label]")?.ariaLabel;

  /** What a canvas is called: by itself, by its label, or by that of its panel. */
  function nameOf(canvas) {
    const label = document.getElementById(canvas.getAttribute("aria-labelledby"))
      ?? canvas.closest(".cnn-panel, .cnn-rf-panel")?.querySelector(".cnn-label");
    return canvas.ariaLabel ?? label?.textContent;
  }

  /** A canvas as a picture, which says in which widget it is and what it shows. Lazy, it is not
   * fetched where the widget comes first; where scripts are off, browsers fetch it all the same. */
  function picture(canvas) {
    const image = document.createElement("img");
    const { width, height, className } = canvas;
    Object.assign(image, { src: canvas.toDataURL(), width, height, loading: "lazy" });
    if (className) image.className = className;
    image.style.cssText = canvas.style.cssText;
    image.alt = [title(canvas), nameOf(canvas)].filter(Boolean).join(": ");
    return image;
  }

  /** What a field holds, which is no part of its HTML, as attributes. */
  function keepValue(copy, field) {
    if (field.tagName === "SELECT") {
      for (const [i, option] of [...copy.options].entries()) {
        option.toggleAttribute("selected", i === field.selectedIndex);
      }
    } else if (field.type === "checkbox" || field.type === "radio") {
      copy.toggleAttribute("checked", field.checked);
    } else if (field.tagName === "INPUT") {
      copy.setAttribute("value", field.value);
    }
    copy.setAttribute("disabled", "");
  }

  function calm(copy, element) {
    for (const name of WORKING) copy.removeAttribute(name);
    const scrolls = /auto|scroll/.test(getComputedStyle(element).overflow);
    if (!scrolls) copy.removeAttribute("tabindex");
    const role = copy.getAttribute("role");
    if (!(role in ROLES)) return;
    if (ROLES[role]) copy.setAttribute("role", ROLES[role]);
    else ["role", "aria-label"].forEach((name) => copy.removeAttribute(name));
  }

  /** Give ids, and the names that join radio buttons, which nothing else on a page has. */
  function rename(root) {
    const given = new Map();
    const rename = (element, attribute, make) => {
      const old = element.getAttribute(attribute);
      if (make && !given.has(old)) given.set(old, `still-${(names += 1)}`);
      if (given.has(old)) element.setAttribute(attribute, given.get(old));
    };
    for (const attribute of ["id", "name"]) {
      for (const each of root.querySelectorAll(`[${attribute}]`)) rename(each, attribute, true);
    }
    for (const attribute of NAMING) {
      for (const each of root.querySelectorAll(`[${attribute}]`)) rename(each, attribute, false);
    }
  }

  function still(live) {
    const copy = live.cloneNode(true);
    const [copies, originals] = [copy, live].map((root) => [...root.querySelectorAll("*")]);
    copies.forEach((each, i) => {
      const original = originals[i];
      calm(each, original);
      if (original.matches("input, select, textarea, button, fieldset")) keepValue(each, original);
      if (original.ariaLive) each.remove(); // the text that is read out
      if (original.matches("canvas")) {
        if (original.checkVisibility()) each.replaceWith(picture(original));
        else each.remove();
      }
    });
    copy.querySelectorAll(".cnn-widget").forEach((each) => each.classList.add("cnn-still"));
    rename(copy);
    return copy.innerHTML;
  }

  return [...document.querySelectorAll(".live-widget")].map((live) => ({
    html: still(live),
    failed: live.querySelector(".lw-alert")?.textContent ?? "",
  }));
}
