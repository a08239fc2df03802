// Settings: pages of switches.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { settle } from "../render.js";
import { close, open, phone, snack } from "../system.js";
import { appBar, brightnessSlider, button, chooseDialog, field, heading, row, scroller, switchRow } from "../widgets.js";

const FONT_LABELS = { small: "Small", default: "Default", large: "Large" };
const GROUPS = [
  ["network", "Network & internet", "Wi-Fi, airplane mode", "wifi"],
  ["connected", "Connected devices", "Bluetooth", "devices"],
  ["display", "Display", "Brightness, dark theme, font size", "display"],
  ["sound", "Sound & vibration", "Volume, Do Not Disturb", "sound"],
  ["security", "Security", "Screen lock", "lock"],
  ["about", "About phone", "Simulated phone", "info"],
];

function main(page) {
  const shown = GROUPS.map(([name, title, text, picture]) => row({ lead: h("div", { class: "badge" }, icon(picture, 22)),
    title, text, id: name, key: name, tap: () => open(name) }));
  return [appBar("Settings", { first: true }), scroller("list", { page }, shown)];
}

const group = (title, rows) => (page) => {
  page.rows = rows;
  return [appBar(title), scroller("list", { page }, rows(phone.state.settings, page))];
};

const network = group("Network & internet", (settings) => [
  switchRow(settings, "wifi", { title: "Wi-Fi", text: settings.wifi ? "Connected to Home network" : "Off", picture: "wifi" }),
  switchRow(settings, "airplane_mode", { title: "Airplane mode", text: settings.airplane_mode ? "On" : "Off", picture: "plane" }),
]);

const connected = group("Connected devices", (settings) => [
  switchRow(settings, "bluetooth", { title: "Bluetooth", text: settings.bluetooth ? "On, no devices" : "Off", picture: "bluetooth" }),
]);

const display = group("Display", (settings) => [
  heading("Brightness"),
  h("div", { class: "slider-row" }, brightnessSlider(), h("div", { class: "number", id: "brightness_value" }, `${settings.brightness}%`)),
  heading("Appearance"),
  switchRow(settings, "dark_theme", { title: "Dark theme", text: settings.dark_theme ? "On" : "Off", picture: "moon" }),
  row({ lead: icon("text"), title: "Font size", text: FONT_LABELS[settings.font_size], id: "font_size", key: "font_size",
    tap: () => chooseDialog("Font size", Object.values(FONT_LABELS), FONT_LABELS[settings.font_size], chooseFont) }),
  heading("Other"),
  switchRow(settings, "auto_rotate", { title: "Auto-rotate screen", text: settings.auto_rotate ? "On" : "Off", picture: "rotate" }),
]);

function chooseFont(label) {
  phone.state.settings.font_size = Object.keys(FONT_LABELS).find((name) => FONT_LABELS[name] === label);
  settle();
}

const sound = group("Sound & vibration", (settings) => [
  switchRow(settings, "do_not_disturb", { title: "Do Not Disturb", text: settings.do_not_disturb ? "On" : "Off", picture: "dnd" }),
  row({ lead: icon("sound"), title: "Media volume", text: `${phone.volume} of 15`, id: "volume" }),
]);

const security = group("Security", () => [
  row({ lead: icon("lock"), title: "Screen lock", text: "PIN", id: "screen_lock", key: "screen_lock", tap: () => open("pin") }),
]);

// Whoever watches the screen must not see a PIN: Android gives such a window FLAG_SECURE.
function pin(page) {
  page.secure = true;
  const save = () => {
    page.error = (page.draft.pin ?? "").length < 4 ? "Too short" : null;
    if (page.error) return settle();
    close();
    return snack("PIN saved");
  };
  return [appBar("Choose a PIN"), h("div", { class: "form" },
    h("div", { class: "soft" }, "The PIN must have at least 4 digits."),
    field(page, "pin", { label: "PIN", type: "digits", enter: save, picture: "lock", error: page.error }),
    h("div", { class: "buttons" }, button("Save", save, { id: "save" })))];
}

const about = group("About phone", () => [
  row({ title: "Device name", text: "Simulated phone" }), row({ title: "Model", text: "eyehand phone" }),
  row({ title: "Android version", text: "Simulated" }), row({ title: "Phone number", text: "555-0100" }),
]);

export const settings = { label: "Settings", icon: "gear", colour: "#5f6779", start: "main",
  pages: { main, network, connected, display, sound, security, pin, about } };
