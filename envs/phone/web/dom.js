// h() makes elements. What a touch does to an element hangs on the element itself.

const PLAIN = { class: "className", type: "type", placeholder: "placeholder", rows: "rows" };
const DATA = { id: "id", key: "key", role: "role", scroll: "scroll", start: "start" };
const ACTS = ["tap", "hold", "slide", "page", "field"];

/**
 * Make an element.
 * id: the resource id, the same for every row of a list. key: unique on the screen.
 * desc: what a screen reader says. role: the widget's class in the hierarchy.
 * tap(), hold(): what a short or long press does. slide(fraction): what a drag along it does.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function set(element, name, value) {
  if (value === undefined || value === null) return;
  if (ACTS.includes(name)) element[name] = value;
  else if (name in PLAIN) element[PLAIN[name]] = value;
  else if (name in DATA) element.dataset[DATA[name]] = value;
  else if (name === "desc") element.setAttribute("aria-label", value);
  else if (name === "checked") element.setAttribute("aria-checked", String(value));
  else if (name === "selected") element.setAttribute("aria-selected", String(value));
  else if (name === "disabled") element.setAttribute("aria-disabled", String(value));
  else if (name === "style") Object.assign(element.style, value);
  else if (name === "value") element.value = value;
  else throw new Error(`h() knows no property ${name}`);
}

/**
 * What lies at a point. All touches land on a glass over the screen, which is never drawn anew:
 * an element that a finger came down on may be replaced before the finger leaves.
 */
export function elementAt(x, y) {
  return document.elementsFromPoint(x, y).find((element) => element.id !== "glass") ?? document.body;
}

/** The nearest ancestor (or the element itself) for which test(element) holds, or null. */
export function nearest(element, test) {
  let at = element;
  while (at && !test(at)) at = at.parentElement;
  return at;
}

export const nextId = (entries) => Math.max(0, ...entries.map((entry) => entry.id)) + 1;
export const money = (cents) => `$${(cents / 100).toFixed(2)}`;
export const matches = (text, query) => text.toLowerCase().includes(query.trim().toLowerCase());
export const byName = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
