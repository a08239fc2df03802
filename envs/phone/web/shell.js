// What Android draws around the apps: bars, recent apps, quick settings, the home screen.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import * as system from "./system.js";
import { apps, HOME, phone } from "./system.js";
import { brightnessSlider, button, scroller } from "./widgets.js";

const DOCK = ["com.android.contacts", "com.android.messages", "com.android.clock", "com.android.reader"];
const GRID = ["com.android.settings", "com.android.notes", "com.android.shop"];

/** A page with the bars around it. */
export function frame(page) {
  const isHome = page.app === HOME;
  const body = isHome ? home() : apps.get(page.app).pages[page.name](page);
  const snack = phone.snackbar && h("div", { class: "snackbar", id: "snackbar" }, phone.snackbar);
  return h("div", { class: isHome ? "frame home" : "frame" },
    statusBar(), h("div", { class: "app", id: "content" }, body, snack), navigation());
}

function statusBar() {
  const { settings, clock } = phone.state;
  const shown = [
    settings.do_not_disturb && "dnd", settings.bluetooth && "bluetooth",
    settings.wifi && "wifi", settings.airplane_mode ? "plane" : "signal", "battery",
  ];
  return h("div", { class: "status", key: "status-bar" }, clock.now,
    h("div", { class: "icons" }, shown.filter(Boolean).map((name) => icon(name, 17))));
}

function navigation() {
  const triangle = icon("back", 22);
  return h("div", { class: "navigation" },
    h("div", { key: "nav-back", desc: "Back", tap: system.back }, triangle),
    h("div", { key: "nav-home", desc: "Home", tap: system.home }, h("div", { class: "glyph" })),
    h("div", { key: "nav-recents", desc: "Recent apps", tap: system.overview },
      h("div", { class: "glyph square" })));
}

/** An app's picture on its coloured ground. */
export function face(name, size = 28) {
  const app = apps.get(name);
  return h("div", { class: "face", style: { background: app.colour } }, icon(app.icon, size));
}

function launcherIcon(name) {
  const { label } = apps.get(name);
  return h("div", { class: "launch", id: "icon", key: `app-${label.toLowerCase()}`, desc: label,
    tap: () => system.launch(name) }, face(name), h("span", {}, label));
}

function home() {
  return [
    h("div", { class: "time", id: "clock" }, phone.state.clock.now),
    h("div", { class: "greeting" }, "Have a good day"),
    h("div", { class: "grid" }, GRID.map(launcherIcon)),
    h("div", { class: "dock" }, DOCK.map(launcherIcon)),
  ];
}

/** The apps used last, the newest first, each as a small picture of its screen. */
export function recents() {
  const cards = phone.recent.map(card);
  const list = scroller("recents", { page: RECENTS, sideways: true, class: "cards", id: "cards" }, cards);
  return h("div", { class: "recents", key: "recents", role: "Window" }, statusBar(),
    cards.length ? list : h("div", { class: "empty" }, "No recent items"),
    cards.length ? button("Clear all", clearAll, { id: "clear_all", class: "outlined clear" }) : null,
    navigation());
}

const RECENTS = { scroll: {} };

function clearAll() {
  phone.recent = [];
  phone.tasks.clear();
  system.home();
}

function card(name) {
  const { label } = apps.get(name);
  const page = phone.tasks.get(name).at(-1);
  const scale = innerWidth > innerHeight ? 0.5 : 0.62;
  const size = (share) => ({ width: `${innerWidth * share}px`, height: `${innerHeight * share}px` });
  const picture = page.secure ? h("div", { class: "frame" }) : frame(page);
  Object.assign(picture.style, size(1), { transform: `scale(${scale})` });
  return h("div", { class: "task", id: "task", key: `recent-${label.toLowerCase()}`, desc: label,
    tap: () => system.launch(name) },
  h("div", { class: "heading" }, face(name, 18), label,
    h("div", { class: "shut", id: "close", key: `close-${label.toLowerCase()}`, desc: `Close ${label}`,
      tap: () => { system.forceStop(name); } }, icon("close", 20))),
  h("div", { class: "thumb", style: size(scale), role: "Picture" }, picture));
}

const TILES = [
  ["wifi", "Wi-Fi", "wifi"], ["bluetooth", "Bluetooth", "bluetooth"],
  ["airplane_mode", "Airplane mode", "plane"], ["do_not_disturb", "Do Not Disturb", "dnd"],
  ["dark_theme", "Dark theme", "moon"], ["auto_rotate", "Auto-rotate", "rotate"],
];

/** The panel that a swipe down from the status bar opens. */
export function quickSettings() {
  const { settings } = phone.state;
  const tile = ([name, label, picture]) => h("div", {
    class: "tile", role: "Switch", id: `tile_${name}`, key: `tile-${name}`, desc: label, checked: settings[name],
    tap: () => { settings[name] = !settings[name]; system.snack(""); },
  }, icon(picture, 22), label);
  const shut = () => { phone.overlay = null; system.snack(""); };
  return [h("div", { class: "veil", key: "veil", tap: shut }),
    h("div", { class: "quick", role: "Window" }, brightnessSlider("quick-brightness"),
      h("div", { class: "tiles" }, TILES.map(tile)))];
}
