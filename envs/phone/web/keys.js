// The keys of Android's KeyEvent, by their names without KEYCODE_.

import { clear, enter, erase, insert, moveCaret, nextField } from "./keyboard.js";
import { focused, settle } from "./render.js";
import { back, home, overview, phone, top } from "./system.js";

const SIGNS = {
  SPACE: " ", COMMA: ",", PERIOD: ".", MINUS: "-", EQUALS: "=", SLASH: "/", BACKSLASH: "\\",
  SEMICOLON: ";", APOSTROPHE: "'", GRAVE: "`", LEFT_BRACKET: "[", RIGHT_BRACKET: "]", AT: "@",
  POUND: "#", STAR: "*", PLUS: "+",
};
const WAKING = ["POWER", "WAKEUP"];

const ACTS = {
  BACK: back, ESCAPE: back, HOME: home, APP_SWITCH: overview, ENTER: enter, NUMPAD_ENTER: enter,
  DPAD_CENTER: enter, DEL: () => erase(-1), FORWARD_DEL: () => erase(1), CLEAR: clear,
  TAB: () => nextField(1), MOVE_HOME: () => moveCaret("start"), MOVE_END: () => moveCaret("end"),
  DPAD_LEFT: () => moveCaret(-1), DPAD_RIGHT: () => moveCaret(1),
  PAGE_DOWN: () => turnPage(1), PAGE_UP: () => turnPage(-1),
  VOLUME_UP: () => { phone.volume = Math.min(15, phone.volume + 1); },
  VOLUME_DOWN: () => { phone.volume = Math.max(0, phone.volume - 1); },
  VOLUME_MUTE: () => { phone.volume = 0; },
  POWER: () => { phone.on = !phone.on; }, WAKEUP: () => { phone.on = true; }, SLEEP: () => { phone.on = false; },
  CUT: () => copy(true), COPY: () => copy(false), PASTE: () => insert(phone.clipboard),
};
const WITH_CONTROL = { A: selectAll, C: ACTS.COPY, X: ACTS.CUT, V: ACTS.PASTE };

/** Press a key. Returns whether the phone knows it. */
export function key(name) {
  const sign = SIGNS[name] ?? (/^[A-Z0-9]$/.test(name) ? name.toLowerCase() : null);
  const act = ACTS[name] ?? (sign === null ? null : () => insert(sign));
  if (act && (phone.on || WAKING.includes(name))) {
    phone.snackbar = "";
    act();
    settle();
  }
  return act !== null;
}

/** Press keys together: Ctrl with A, C, X or V, Shift with Tab or a letter. Returns as key(). */
export function combination(names) {
  const last = names.at(-1);
  const held = (start) => names.slice(0, -1).some((name) => name.startsWith(start));
  if (held("CTRL")) return phone.on && WITH_CONTROL[last] ? (WITH_CONTROL[last](), true) : false;
  if (held("SHIFT") && last === "TAB") return phone.on && nextField(-1);
  if (held("SHIFT") && /^[A-Z]$/.test(last)) return phone.on && insert(last);
  return names.map(key).every(Boolean);
}

function selectAll() {
  focused()?.select();
}

function copy(cut) {
  const field = focused();
  if (!field) return;
  phone.clipboard = field.value.slice(field.selectionStart, field.selectionEnd);
  if (cut && phone.clipboard) erase(-1);
}

function turnPage(by) {
  const list = document.querySelector("#phone > .frame .scroller:not(.sideways)");
  if (!list) return;
  list.scrollTop += Math.round(by * list.clientHeight * 0.9);
  top().scroll[list.dataset.scroll] = list.scrollTop;
}
