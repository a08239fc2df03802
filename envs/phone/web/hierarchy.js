// What is on the screen, as uiautomator would tell it, and where a named part of it lies.

import { elementAt } from "./dom.js";
import { HOME, phone, top } from "./system.js";

const CLASSES = {
  Button: "android.widget.Button", ImageButton: "android.widget.ImageButton", Switch: "android.widget.Switch",
  EditText: "android.widget.EditText", SeekBar: "android.widget.SeekBar", RadioButton: "android.widget.RadioButton",
  ScrollView: "android.widget.ScrollView", Window: "android.widget.FrameLayout", CheckBox: "android.widget.CheckBox",
};

/** The window on top: an overlay, a dialog, or the app. */
function frontWindow() {
  const found = document.querySelectorAll("#phone > [data-role=Window], #phone > .veil [data-role=Window]");
  return found[found.length - 1] ?? document.querySelector("#phone > .frame > .app");
}

function meet(a, b) {
  const box = { left: Math.max(a.left, b.left), top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom) };
  return box.right > box.left && box.bottom > box.top ? box : null;
}

const isClip = (element) => getComputedStyle(element).overflowY === "hidden" || element.dataset.scroll;

/** The tree of the window on top: nested {attributes, children}; bounds in device pixels. */
export function hierarchy() {
  if (!phone.on) return [];
  return nodes(frontWindow(), { left: 0, top: 0, right: innerWidth, bottom: innerHeight });
}

function nodes(element, clip) {
  const box = meet(element.getBoundingClientRect(), clip);
  if (!box || element.dataset?.role === "Picture" || element instanceof SVGElement) return [];
  const inner = isClip(element) ? box : clip;
  const children = [...element.children].flatMap((child) => nodes(child, inner));
  const told = element.dataset.role || element.dataset.id || element.tap || ownText(element) || element.classList.contains("app");
  return told ? [{ attributes: attributes(element, box), children }] : children;
}

function ownText(element) {
  if ("value" in element) return element.value;
  return [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("").trim();
}

function overflows({ scrollHeight, clientHeight, scrollWidth, clientWidth }) {
  return scrollHeight > clientHeight + 1 || scrollWidth > clientWidth + 1;
}

function attributes(element, box) {
  const { role, id } = element.dataset;
  const owner = phone.overlay === "recents" ? HOME : top().app;
  const text = ownText(element);
  const on = (name) => element.getAttribute(name) === "true";
  const isField = role === "EditText";
  return {
    text, "resource-id": id ? `${owner}:id/${id}` : "",
    class: CLASSES[role] ?? (text ? "android.widget.TextView" : "android.view.ViewGroup"), package: owner,
    "content-desc": element.getAttribute("aria-label") ?? "",
    checkable: element.hasAttribute("aria-checked"), checked: on("aria-checked"),
    clickable: Boolean(element.tap || element.slide || isField), enabled: !on("aria-disabled"),
    focusable: Boolean(isField), focused: element.dataset.key === phone.focus && isField,
    scrollable: Boolean(element.dataset.scroll) && overflows(element),
    "long-clickable": Boolean(element.hold), password: false, selected: on("aria-selected"),
    bounds: [box.left, box.top, box.right, box.bottom].map(Math.round),
  };
}

/** Where the part with this key lies: its whole box, and a point that a tap would reach, or null. */
export function locate(key) {
  const all = [...document.querySelectorAll(`#phone [data-key="${CSS.escape(key)}"]`)].filter((one) => !one.closest(".thumb"));
  const element = all.at(-1);
  if (!element) return null;
  const { left, top: upper, right, bottom } = element.getBoundingClientRect();
  return { box: [left, upper, right, bottom].map(Math.round), point: reachable(element, { left, top: upper, right, bottom }) };
}

function reachable(element, box) {
  let seen = box;
  for (let at = element.parentElement; at && seen; at = at.parentElement) {
    if (isClip(at)) seen = meet(seen, at.getBoundingClientRect());
  }
  if (!seen) return null;
  for (const [across, down] of [[0.5, 0.5], [0.25, 0.5], [0.5, 0.25], [0.75, 0.5], [0.5, 0.75], [0.1, 0.5]]) {
    const x = Math.floor(seen.left + (seen.right - seen.left) * across);
    const y = Math.floor(seen.top + (seen.bottom - seen.top) * down);
    if (element.contains(elementAt(x, y))) return [x, y];
  }
  return null;
}
