// The phone's own memory: the state of the apps, and the pages that lie open over each other.

import { settle } from "./render.js";

export const HOME = "com.android.launcher";
/** package -> {label, icon, colour, start, pages: {name: page => element}} */
export const apps = new Map();

export const phone = {
  state: null,
  tasks: new Map(), // package -> its pages, the last one on top
  recent: [], // packages, the newest first
  front: HOME,
  overlay: null, // "recents" or "quick"
  snackbar: "",
  on: true,
  keyboard: { shown: false, shift: false, layer: "letters" },
  ime: "", focus: null, // the key of the field that has the focus
  density: 420, // dots per inch
  volume: 8, clipboard: "", touches: [],
};

/** Put the phone back to the home screen with this state. */
export function boot(state, ime) {
  Object.assign(phone, {
    state, ime, front: HOME, overlay: null, snackbar: "", on: true, focus: null,
    keyboard: { shown: false, shift: false, layer: "letters" }, volume: 8, clipboard: "",
    touches: [], recent: [],
  });
  phone.tasks.clear();
  settle();
}

/** The page on top of the app in front; the home screen is a page too. */
export function top() {
  const pages = phone.tasks.get(phone.front);
  return pages?.at(-1) ?? HOME_PAGE;
}

const HOME_PAGE = makePage(HOME, "home", {});

function makePage(app, name, args, draft = {}) {
  return { app, name, args, draft: { ...draft }, scroll: {}, dialog: null, secure: false };
}

/** Bring an app to the front as it was left, or on its start page. */
export function launch(name) {
  blur();
  phone.overlay = null;
  phone.front = name;
  if (name !== HOME) {
    const app = apps.get(name);
    if (!phone.tasks.has(name)) phone.tasks.set(name, [makePage(name, app.start, {}, app.draft)]);
    phone.recent = [name, ...phone.recent.filter((other) => other !== name)];
  }
  settle();
}

/** End an app and forget its pages. */
export function forceStop(name) {
  phone.tasks.delete(name);
  phone.recent = phone.recent.filter((other) => other !== name);
  if (phone.front === name) {
    blur();
    phone.front = HOME;
  }
  settle();
}

/** Open a page over the one on top. `draft` holds what its fields begin with. */
export function open(name, args = {}, draft = {}) {
  blur();
  phone.tasks.get(phone.front).push(makePage(phone.front, name, args, draft));
  settle();
}

/** Open a page of another app over that app's start page. */
export function openIn(app, name, args = {}, draft = {}) {
  phone.tasks.delete(app);
  launch(app);
  open(name, args, draft);
}

/** Close the page on top; from the first page of an app, go home. */
export function close() {
  blur();
  const pages = phone.tasks.get(phone.front);
  if (pages && pages.length > 1) pages.pop();
  else phone.front = HOME;
  settle();
}

/** Close pages until the app's first one is on top. */
export function closeAll() {
  blur();
  phone.tasks.get(phone.front).length = 1;
  settle();
}

/** Show a dialog over the page on top; null closes it. */
export function dialog(spec) {
  blur();
  top().dialog = spec;
  settle();
}

/** Ask before something is lost. */
export function confirm(title, text, label, act) {
  const close = () => dialog(null);
  dialog({ title, text, buttons: [
    { id: "cancel", label: "Cancel", tap: close },
    { id: "confirm", label, tap: () => { top().dialog = null; act(); } },
  ] });
}

/** A line at the bottom that the next touch or key takes away. */
export function snack(text) {
  phone.snackbar = text;
  settle();
}

/** Take the focus away, and the keyboard with it. */
export function blur() {
  phone.focus = null;
  phone.keyboard = { shown: false, shift: false, layer: "letters" };
}

/** Give a field the focus and show the keyboard. */
export function focus(key) {
  phone.focus = key;
  phone.keyboard = { shown: true, shift: false, layer: "letters" };
  settle(true);
}

/** What BACK does: the newest thing on the screen goes away. */
export function back() {
  if (phone.overlay) phone.overlay = null;
  else if (phone.keyboard.shown) phone.keyboard.shown = false;
  else if (top().dialog) top().dialog = null;
  else if (phone.front !== HOME) {
    const leave = apps.get(phone.front).leave?.[top().name];
    if (leave) leave(top());
    close();
  }
  settle();
}

/** Go to the home screen. */
export function home() {
  blur();
  phone.overlay = null;
  phone.front = HOME;
  settle();
}

/** Show the apps used last, or hide them. */
export function overview() {
  blur();
  phone.overlay = phone.overlay === "recents" ? null : "recents";
  settle();
}

/** The package in front and the name of its activity. */
export function foreground() {
  const { app, name } = top();
  const activity = `${name[0].toUpperCase()}${name.slice(1)}Activity`;
  return [phone.overlay === "recents" ? HOME : app, phone.overlay === "recents" ? ".RecentsActivity" : `.${activity}`];
}
