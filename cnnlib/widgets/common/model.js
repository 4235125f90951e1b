// What all widgets do with a model: set its traits, keep a number within limits, let it play.

/**
 * @typedef {object} Model what an anywidget module gets
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, callback: () => void) => void} on
 * @property {(event: string, callback: () => void) => void} off
 * @property {{ drawn: Promise<void> }} [page] where the book's page host runs it: all are drawn
 */

const CALM_PACE = 2; // steps a second for a reader who asked for less motion

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Set several traits, and send them to Python where there is one. */
export function set(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

/**
 * Move on while the model plays: one clock a model, however many views it has.
 * @param {Model} model @param {(model: Model, steps: number) => void} move what a step does
 * @returns {() => void} stops the clock
 */
export function startClock(model, move) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  const reset = () => {
    clearInterval(timer);
    const pace = calm.matches ? Math.min(model.get("speed"), CALM_PACE) : model.get("speed");
    if (model.get("playing")) timer = setInterval(() => move(model, 1), 1000 / pace);
  };
  model.on("change:playing", reset);
  model.on("change:speed", reset);
  reset();
  return () => {
    clearInterval(timer);
    model.off("change:playing", reset);
    model.off("change:speed", reset);
  };
}
