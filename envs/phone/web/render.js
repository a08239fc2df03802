// Draws the phone from its memory: the whole screen anew at every change, so that the same
// memory gives the same pixels.

import { keyboard } from "./keyboard.js";
import { h } from "./dom.js";
import { frame, quickSettings, recents } from "./shell.js";
import { phone, top } from "./system.js";
import { dialogBox } from "./widgets.js";

const FONT_SCALES = { small: 0.88, default: 1, large: 1.22 };

/** Draw. `reveal` also scrolls the field that has the focus into view. */
export function settle(reveal = false) {
  const root = document.getElementById("phone");
  const selection = selected();
  setLook(document.documentElement);
  const page = top();
  const screen = frame(page);
  const keys = keyboard(screen);
  if (keys) screen.insertBefore(keys, screen.lastChild);
  root.replaceChildren(
    screen,
    ...overlays(page),
    ...(phone.on ? [] : [h("div", { class: "off" })]),
  );
  restoreScrolls(root);
  focusField(selection, reveal);
}

/** The field that has the focus, or null. */
export function focused() {
  return phone.focus && document.querySelector(`#phone > .frame [data-key="${CSS.escape(phone.focus)}"]`);
}

function setLook(root) {
  const { settings } = phone.state;
  root.style.fontSize = `${phone.density / 16}px`;
  root.style.setProperty("--fs", FONT_SCALES[settings.font_size]);
  root.dataset.theme = settings.dark_theme ? "dark" : "light";
  document.body.className = innerWidth > innerHeight ? "landscape" : "portrait";
}

function overlays(page) {
  if (phone.overlay === "recents") return [recents()];
  if (phone.overlay === "quick") return quickSettings();
  return page.dialog ? [dialogBox(page.dialog)] : [];
}

function restoreScrolls(root) {
  for (const element of root.querySelectorAll("[data-scroll]")) {
    const kept = element.page?.scroll[element.dataset.scroll];
    const axis = element.classList.contains("sideways") ? "scrollLeft" : "scrollTop";
    if (kept !== undefined) element[axis] = kept;
    else if (element.dataset.start === "end") element.scrollTop = element.scrollHeight;
  }
}

function selected() {
  const field = focused();
  return field ? { key: phone.focus, start: field.selectionStart, end: field.selectionEnd } : null;
}

function focusField(selection, reveal) {
  const field = focused();
  if (!field) {
    document.activeElement?.blur();
    return;
  }
  field.focus({ preventScroll: true });
  const same = selection?.key === phone.focus;
  const end = field.value.length;
  field.setSelectionRange(same ? selection.start : end, same ? selection.end : end);
  if (reveal) bringIntoView(field);
}

/** Scroll so that the field, or its end where the caret is at the end, can be seen. */
export function bringIntoView(field) {
  const atEnd = field.selectionStart === field.value.length;
  if (atEnd) field.scrollLeft = field.scrollWidth;
  const list = field.closest(".scroller:not(.sideways)");
  if (!list) return;
  const view = list.getBoundingClientRect();
  const box = field.parentElement.getBoundingClientRect();
  const below = box.bottom - view.bottom;
  if (box.top < view.top && !atEnd) list.scrollTop += box.top - view.top;
  else if (below > 0) list.scrollTop += atEnd ? below : Math.min(below, box.top - view.top);
  else if (box.top < view.top && box.height <= view.height) list.scrollTop += box.top - view.top;
  list.page.scroll[list.dataset.scroll] = list.scrollTop;
}
