// What the program outside calls: everything hangs on window.eyehand.

import "./apps/all.js";
import { hierarchy, locate } from "./hierarchy.js";
import { ADB_IME, clear, insert } from "./keyboard.js";
import { combination, key } from "./keys.js";
import { settle } from "./render.js";
import * as system from "./system.js";
import { apps, HOME, phone } from "./system.js";
import { listen } from "./touch.js";

listen();

window.eyehand = {
  boot: ({ state, ime, density }) => {
    phone.density = density;
    system.boot(state, ime);
  },
  state: () => phone.state,
  setDensity: (density) => { phone.density = density; settle(true); },
  redraw: () => settle(true),
  setIme: (ime) => { phone.ime = ime; settle(); },
  isAdbIme: () => phone.ime === ADB_IME,
  packages: () => ({ [HOME]: "Home", ...Object.fromEntries([...apps].map(([name, app]) => [name, app.label])) }),
  launch: (name) => {
    if (name !== HOME && !apps.has(name)) return false;
    system.launch(name);
    return true;
  },
  forceStop: system.forceStop,
  foreground: system.foreground,
  facts: () => ({ keyboard: phone.keyboard.shown, on: phone.on,
    secure: phone.on && phone.overlay === null && system.top().secure }),
  touches: () => phone.touches,
  type: (text) => phone.on && insert(text),
  clear: () => phone.on && clear(),
  setState: (change) => { Object.assign(phone.state.settings, change); settle(); },
  key, combination, hierarchy, locate,
};
