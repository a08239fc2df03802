// The parts that every app's screen is made of.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { close, dialog, focus, phone } from "./system.js";
import { settle } from "./render.js";

/** The bar at the top: an arrow back unless `first`, a title, and actions at the right. */
export function appBar(title, { first = false, actions = [], leave = close } = {}) {
  const arrow = first ? null : iconButton("arrow", "Navigate up", leave, { id: "up", key: "up" });
  return h("div", { class: first ? "bar first" : "bar", id: "toolbar" }, arrow,
    h("div", { class: "title", id: "title" }, title), actions);
}

/** A round button with only a picture. */
export function iconButton(picture, desc, tap, { id, key = id, solid = false, disabled = false } = {}) {
  return h("div", { class: "icon-button", role: "ImageButton", desc, id, key, disabled, tap: disabled ? undefined : tap },
    icon(picture, 24, solid));
}

/** A button with a word. */
export function button(label, tap, { id, key = id, class: kind = "filled", disabled = false } = {}) {
  return h("div", { class: `button ${kind}`, role: "Button", id, key, disabled, tap: disabled ? undefined : tap }, label);
}

/** The round button that floats over a list. */
export function fab(picture, desc, tap, id = "add") {
  return h("div", { class: "fab", role: "ImageButton", id, key: id, desc, tap }, icon(picture, 26));
}

/** A part that scrolls; its place is kept with the page under `name`. */
export function scroller(name, { page, sideways = false, class: more = "", id = "list", start, key }, ...children) {
  return h("div", { class: `scroller ${sideways ? "sideways" : ""} ${more}`, role: "ScrollView",
    id, key, scroll: name, page, start }, ...children);
}

/** A row: picture, one or two lines, something at the right. */
export function row({ lead, title, text, end, tap, hold, id = "row", key }) {
  return h("div", { class: "row", id, key, tap, hold }, lead,
    h("div", { class: "lines" }, h("div", { class: "line", id: "row_title" }, title),
      text ? h("div", { class: "line soft", id: "row_text" }, text) : null), end);
}

/** A switch that shows `checked`. */
export function toggle(checked, { id = "switch", key, tap, desc } = {}) {
  return h("div", { class: "switch", role: "Switch", id, key, checked, tap, desc }, h("div", { class: "knob" }));
}

/** A row whose switch turns a setting on and off; a tap anywhere on it does. */
export function switchRow(settings, name, { title, text, picture }) {
  const flip = () => { settings[name] = !settings[name]; settle(); };
  return row({ lead: icon(picture), title, text, tap: flip, id: name, key: name,
    end: toggle(settings[name], { key: `switch-${name}` }) });
}

/** A line above a group of rows. */
export const heading = (text) => h("div", { class: "heading-line" }, text);

/** A line in the middle of an empty list. */
export const emptyLine = (text) => h("div", { class: "empty-line" }, text);

/** A round picture with a name's first letter, coloured by the name. */
export function avatar(name) {
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  return h("div", { class: "avatar", role: "Picture", style: { background: `hsl(${hue} 45% 42%)` } },
    [...name.trim()][0]?.toUpperCase() ?? "?");
}

/**
 * A text field whose text is kept in page.draft[name].
 * enter: what the enter key does: "next", "search", or a function. live: draw at every letter.
 */
export function field(page, name, { label, lines = 1, type = "text", enter = "next", live = false, picture, error, id = name } = {}) {
  const key = `field-${name}`;
  const input = h(lines > 1 ? "textarea" : "input", { role: "EditText", id, key, desc: label,
    placeholder: label, value: page.draft[name] ?? "", ...(lines > 1 ? { rows: lines } : { type: "text" }) });
  input.field = { type, enter, lines: lines > 1 };
  input.autocomplete = "off";
  input.spellcheck = false;
  input.addEventListener("input", () => {
    page.draft[name] = input.value;
    if (live) settle();
  });
  const box = h("div", { class: `field ${lines > 1 ? "tall" : ""} ${phone.focus === key ? "focused" : ""}` },
    picture ? icon(picture, 22) : null, input);
  box.tap = () => focus(key);
  return [box, error ? h("div", { class: "error", id: `${name}_error` }, error) : null];
}

/** A field to search with, and a cross that empties it. */
export function searchField(page, label) {
  const clear = page.draft.query
    ? iconButton("close", "Clear search", () => { page.draft.query = ""; settle(); }, { id: "clear_search" }) : null;
  const [box] = field(page, "query", { label, live: true, enter: "search", picture: "search", id: "search" });
  box.classList.add("search");
  if (clear) box.append(clear);
  return box;
}

/** Small buttons of which one is chosen. */
export function chips(page, options, chosen, choose, name = "chip") {
  return scroller(`${name}s`, { page, sideways: true, class: "chips", id: `${name}s` },
    options.map((option) => h("div", { class: "chip", id: name, key: `${name}-${option.toLowerCase()}`, role: "Button",
      selected: option === chosen, tap: () => choose(option) }, option)));
}

/** A dialog: title, text, choices as radio buttons, buttons. A tap beside it closes it. */
export function dialogBox(spec) {
  const { title, text, choices = [], buttons = [] } = spec;
  spec.scroll ??= {};
  const choice = ({ label, chosen, tap }) => h("div", { class: "choice", role: "RadioButton", id: "choice",
    key: `choice-${label.toLowerCase()}`, checked: chosen, tap }, h("div", { class: "dot" }), label);
  const act = ({ label, tap, id }) => button(label, tap, { id, class: "flat" });
  return h("div", { class: "veil centred", key: "veil", tap: () => dialog(null) },
    h("div", { class: "dialog", id: "dialog", key: "dialog", role: "Window", tap: () => {} },
      h("div", { class: "title", id: "dialog_title" }, title),
      text ? h("div", { class: "soft", id: "dialog_text" }, text) : null,
      scroller("choices", { page: spec, class: "choices", id: "choices" }, choices.map(choice)),
      h("div", { class: "buttons" }, buttons.map(act))));
}

/** Choose one of several in a dialog; choose(option) is told which. */
export function chooseDialog(title, options, chosen, choose) {
  dialog({ title, buttons: [{ id: "cancel", label: "Cancel", tap: () => dialog(null) }],
    choices: options.map((label) => ({ label, chosen: label === chosen, tap: () => { dialog(null); choose(label); } })) });
}

/** A number between minus and plus. */
export function stepper(name, value, change, { least = 0, most = 99, steps = [1] } = {}) {
  const limit = (number) => Math.min(most, Math.max(least, number));
  const step = (by) => button(by > 0 ? `+${by}` : `−${-by}`, () => { change(limit(value + by)); settle(); },
    { id: `${name}_${by > 0 ? "plus" : "minus"}_${Math.abs(by)}`, class: "step", disabled: limit(value + by) === value });
  return h("div", { class: "stepper" }, [...steps].reverse().map((by) => step(-by)),
    h("div", { class: "number", id: `${name}_value`, key: `${name}_value` }, String(value)), steps.map((by) => step(by)));
}

/** The slider of the screen's brightness, 0 to 100. */
export function brightnessSlider(key = "brightness") {
  const { settings } = phone.state;
  const share = `${settings.brightness}%`;
  const slide = (fraction) => { settings.brightness = Math.round(fraction * 100); settle(); };
  return h("div", { class: "slider", role: "SeekBar", id: "brightness_slider", key, desc: "Brightness level", slide },
    h("div", { class: "track", key: `${key}-track` }, h("div", { class: "fill", style: { width: share } }),
      h("div", { class: "thumb-knob", style: { left: share } })), icon("sun", 22));
}
