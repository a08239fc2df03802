// The soft keyboard, and everything that changes the text of the field that has the focus.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { bringIntoView, focused, settle } from "./render.js";
import { blur, phone } from "./system.js";

export const ADB_IME = "com.android.adbkeyboard/.AdbIME";

const LAYERS = {
  letters: ["q w e r t y u i o p", "a s d f g h j k l", "shift z x c v b n m backspace", "symbols , space . enter"],
  symbols: ["1 2 3 4 5 6 7 8 9 0", "@ # $ _ & - + ( ) /", "more * \" ' : ; ! ? backspace", "letters , space . enter"],
  more: ["~ ` | • √ π ÷ × ¶ ∆", "£ ¢ € ¥ ^ ° = { } \\", "symbols % © ® ™ ✓ [ ] backspace", "letters < space > enter"],
  digits: ["1 2 3 -", "4 5 6 +", "7 8 9 backspace", "* 0 # enter"],
};
const WIDE = { shift: 1.5, backspace: 1.5, symbols: 1.5, letters: 1.5, more: 1.5, enter: 1.5, space: 5 };
const LABELS = { symbols: "?123", letters: "ABC", more: "=\\<", space: "English" };
const PICTURES = { shift: "shift", backspace: "backspace" };
const ACTS = {
  shift: () => { phone.keyboard.shift = !phone.keyboard.shift; settle(); },
  backspace: () => erase(-1), enter, space: () => insert(" "),
  symbols: () => toLayer("symbols"), letters: () => toLayer("letters"), more: () => toLayer("more"),
};

/** The keyboard's element for the field with the focus in `screen`, or null where it is hidden. */
export function keyboard(screen) {
  if (!phone.keyboard.shown) return null;
  if (phone.ime === ADB_IME) return h("div", { class: "keyboard adb", key: "keyboard" }, "ADB Keyboard {ON}");
  const field = screen.querySelector(`[data-key="${CSS.escape(phone.focus ?? "")}"]`)?.field;
  const digits = field?.type === "digits";
  const rows = LAYERS[digits ? "digits" : phone.keyboard.layer];
  return h("div", { class: "keyboard", key: "keyboard" },
    rows.map((row) => h("div", { class: digits ? "keys digits" : "keys" }, row.split(" ").map((name) => key(name, field, digits)))));
}

function key(name, field, digits) {
  const letter = /^[a-z]$/.test(name);
  const shown = letter && phone.keyboard.shift ? name.toUpperCase() : name;
  const special = name in ACTS;
  const lit = name === "enter" || (name === "shift" && phone.keyboard.shift);
  const picture = name === "enter" ? enterPicture(field) : PICTURES[name];
  return h("div", { class: `key ${special && name !== "space" ? "special" : ""} ${lit ? "lit" : ""}`,
    key: `key-${name}`, desc: name, style: { flexGrow: digits ? 1 : WIDE[name] ?? 1 },
    tap: ACTS[name] ?? (() => press(shown)) }, picture ? icon(picture, 22) : LABELS[name] ?? shown);
}

function enterPicture(field) {
  if (field?.lines) return "enter";
  if (typeof field?.enter === "function" && field.type !== "digits") return "send";
  return field?.enter === "search" ? "search" : "check";
}

function toLayer(layer) {
  phone.keyboard.layer = layer;
  settle();
}

function press(letter) {
  insert(letter);
  phone.keyboard.shift = false;
  settle();
}

/** Put text in place of what is selected. Returns whether a field took it. */
export function insert(text) {
  const field = focused();
  if (!field) return false;
  const taken = field.tagName === "INPUT" ? text.replace(/[\r\n]/g, "") : text;
  field.setRangeText(taken, field.selectionStart, field.selectionEnd, "end");
  changed(field);
  return true;
}

function changed(field) {
  field.dispatchEvent(new Event("input"));
  bringIntoView(focused());
}

/** Take away what is selected, or the letter before (-1) or after (1) the caret. */
export function erase(by) {
  const field = focused();
  if (!field) return;
  let { selectionStart: start, selectionEnd: end } = field;
  if (start === end && by < 0) start -= lastLetter(field.value.slice(0, start)).length;
  else if (start === end) end += firstLetter(field.value.slice(end)).length;
  field.setRangeText("", start, end, "end");
  changed(field);
}

const letters = (text) => [...new Intl.Segmenter("en").segment(text)].map((part) => part.segment);
const lastLetter = (text) => letters(text).at(-1) ?? "";
const firstLetter = (text) => letters(text)[0] ?? "";

/** Empty the field that has the focus. */
export function clear() {
  const field = focused();
  if (!field) return false;
  field.setRangeText("", 0, field.value.length, "end");
  changed(field);
  return true;
}

/** Move the caret: "start", "end", or a step of -1 or 1. */
export function moveCaret(to) {
  const field = focused();
  if (!field) return;
  const at = { start: 0, end: field.value.length }[to] ?? (to < 0
    ? field.selectionStart - lastLetter(field.value.slice(0, field.selectionStart)).length
    : field.selectionEnd + firstLetter(field.value.slice(field.selectionEnd)).length);
  field.setSelectionRange(at, at);
}

/** What the enter key does in the field that has the focus. */
export function enter() {
  const field = focused();
  if (!field) return;
  const act = field.field.enter;
  if (field.tagName === "TEXTAREA" && typeof act !== "function") insert("\n");
  else if (typeof act === "function") act();
  else if (act === "next" && nextField(1, false)) return;
  else phone.keyboard.shown = false;
  settle();
}

/** Give the focus to the next (1) or the previous (-1) field. Returns whether there is one. */
export function nextField(by = 1, around = true) {
  const fields = [...document.querySelectorAll("#phone > .frame [data-role=EditText]")];
  if (!fields.length) return false;
  let at = fields.indexOf(focused()) + by;
  if (around) at = (at + fields.length) % fields.length;
  if (!fields[at]) return false;
  phone.focus = fields[at].dataset.key;
  phone.keyboard.shown = true;
  settle(true);
  return true;
}

/** Hide the keyboard where the field that it belongs to has gone. */
export function hideWithoutField() {
  if (phone.focus && !focused()) {
    blur();
    settle();
  }
}
