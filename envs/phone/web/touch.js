// Fingers: what touches the screen becomes a tap, a long press, a scroll or a slide. Lists follow
// the finger by its distance and stop where it leaves, so that a swipe is the same every time.

import { elementAt, nearest } from "./dom.js";
import { focused, settle } from "./render.js";
import { hideWithoutField } from "./keyboard.js";
import { blur, phone } from "./system.js";

const SLOP_DP = 8; // Android's ViewConfiguration.TOUCH_SLOP
const LONG_PRESS_MS = 500; // the default of its getLongPressTimeout() before Android 12, and input's
const PULL_DP = 60; // how far the bar at the top is pulled before the panel opens

let gesture = null;

/** Listen to the page's own touches. */
export function listen() {
  const on = (name, act) => addEventListener(name, (event) => {
    event.preventDefault(); // no mouse events, no focus by the browser's own rules
    const { clientX: x, clientY: y } = event.changedTouches[0];
    act(x, y, event.timeStamp);
  }, { passive: false });
  on("touchstart", begin);
  on("touchmove", move);
  on("touchend", end);
  addEventListener("touchcancel", () => { gesture = null; });
}

function begin(x, y, at) {
  const target = elementAt(x, y);
  const slider = nearest(target, (element) => element.slide);
  gesture = { x, y, at, endX: x, endY: y, target, slider, track: slider?.querySelector(".track").getBoundingClientRect(),
    kind: null, scroller: null, from: 0 };
}

function move(x, y, at) {
  if (!gesture) return;
  Object.assign(gesture, { endX: x, endY: y });
  if (!phone.on) return;
  gesture.kind ??= startOfDrag(x - gesture.x, y - gesture.y, at);
  if (gesture.kind === "slide") slide(x);
  if (gesture.kind === "scroll") scroll(x - gesture.x, y - gesture.y);
}

function startOfDrag(dx, dy, at) {
  if (Math.hypot(dx, dy) <= (SLOP_DP * phone.density) / 160) {
    gesture.held = at - gesture.at >= LONG_PRESS_MS;
    return null;
  }
  if (gesture.slider) return "slide";
  if (gesture.held) return "drag"; // picked up: the list under it stays where it is
  gesture.sideways = Math.abs(dx) > Math.abs(dy);
  gesture.scroller = nearest(gesture.target, (element) => scrolls(element, gesture.sideways));
  gesture.from = gesture.scroller?.[axis()] ?? 0;
  return "scroll";
}

const axis = () => (gesture.sideways ? "scrollLeft" : "scrollTop");

function scrolls(element, sideways) {
  if (!element.classList?.contains("scroller")) return false;
  return sideways ? element.scrollWidth > element.clientWidth + 1 : element.scrollHeight > element.clientHeight + 1;
}

function scroll(dx, dy) {
  const { scroller } = gesture;
  if (!scroller) return;
  scroller[axis()] = Math.round(gesture.from - (gesture.sideways ? dx : dy));
  if (scroller.page) scroller.page.scroll[scroller.dataset.scroll] = scroller[axis()];
}

function slide(x) {
  const { left, width } = gesture.track;
  gesture.slider.slide(Math.min(1, Math.max(0, (x - left) / width)));
}

function end(x, y, at) {
  if (!gesture) return;
  const { kind, target } = gesture;
  const milliseconds = Math.round(at - gesture.at);
  const long = milliseconds >= LONG_PRESS_MS;
  const name = { scroll: "swipe", slide: "swipe", drag: "drag" }[kind] ?? (long ? "long_press" : "tap");
  phone.touches.push({ kind: name, x: gesture.x, y: gesture.y, end_x: gesture.endX, end_y: gesture.endY, milliseconds });
  if (phone.on) {
    phone.snackbar = "";
    if (kind === null) press(target, x, y, long);
    else if (kind === "scroll") pullPanel(target, gesture.endY - gesture.y);
    hideWithoutField();
    settle();
  }
  gesture = null;
}

function press(target, x, y, long) {
  if (gesture.slider) return slide(x);
  const held = long && nearest(target, (element) => element.hold);
  if (held) return held.hold();
  const hit = nearest(target, (element) => element.tap);
  if (target === focused() && phone.keyboard.shown) putCaret(target, x, y);
  else if (hit) hit.tap();
  return undefined;
}

function putCaret(field, x, y) {
  const glass = document.getElementById("glass");
  glass.style.pointerEvents = "none";
  const place = document.caretPositionFromPoint?.(x, y);
  glass.style.pointerEvents = "";
  if (place?.offsetNode === field) field.setSelectionRange(place.offset, place.offset);
}

function pullPanel(target, dy) {
  const far = Math.abs(dy) > (PULL_DP * phone.density) / 160;
  if (!far) return;
  if (dy > 0 && nearest(target, (element) => element.dataset?.key === "status-bar")) {
    blur();
    phone.overlay = "quick";
  } else if (dy < 0 && phone.overlay === "quick") phone.overlay = null;
}
