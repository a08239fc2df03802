// Every app of the phone, in the order of `pm list packages`.

import { apps } from "../system.js";
import { clock } from "./clock.js";
import { contacts } from "./contacts.js";
import { messages } from "./messages.js";
import { notes } from "./notes.js";
import { reader } from "./reader.js";
import { settings } from "./settings.js";
import { shop } from "./shop.js";

const ALL = { clock, contacts, messages, notes, reader, settings, shop };

for (const [name, app] of Object.entries(ALL)) apps.set(`com.android.${name}`, app);
