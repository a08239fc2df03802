// The pictures, drawn for this phone on a 24 by 24 grid: strokes, or filled where marked.

const STROKES = {
  back: "M15 5 8 12l7 7", arrow: "M20 12H5M11 6l-6 6 6 6", next: "M9 5l7 7-7 7",
  add: "M12 5v14M5 12h14", minus: "M5 12h14", close: "M6 6l12 12M18 6 6 18", check: "M5 12.5l5 5L19 7",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.3 15.3 20.5 20.5",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3", send: "M4 12 20 4l-5 16-3.5-6.5zM11.5 13.5 20 4",
  delete: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 10.5v6M13.5 10.5v6",
  star: "M12 3.5l2.6 5.5 6 .8-4.4 4.2 1.1 6L12 17.1 6.7 20l1.1-6L3.400 9.800l6-.8z",
  bookmark: "M7 4h10v16l-5-4-5 4z", pin: "M9 4h6l-.8 6L18 14H6l3.800-4zM12 14v6.500",
  phone: "M6 4h3.500l1.500 4.500-2 1.500a12 12 0 0 0 5 5l1.500-2 4.500 1.500V18a2 2 0 0 1-2 2A14 14 0 0 1 4 6a2 2 0 0 1 2-2",
  mail: "M4 6h16v12H4zM4 7l8 6 8-6", chat: "M4 5h16v11H10l-4 4v-4H4z",
  person: "M12 4.500a3.800 3.800 0 1 0 0 7.600 3.800 3.800 0 0 0 0-7.600M4.500 20c.5-4 3.500-5.500 7.500-5.500s7 1.500 7.500 5.500",
  cart: "M3 4h2.500l2.300 11h10l2-8H6.300M9 19.500h.01M17 19.500h.01", receipt: "M6 3.500h12v17l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6",
  clock: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17M12 7.500V12l3 2", alarm: "M12 5.500a7 7 0 1 0 0 14 7 7 0 0 0 0-14M12 9v4l2.500 1.500M3.500 6.500l3-2.500M20.500 6.500l-3-2.500",
  timer: "M9.500 3h5M12 6a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15M12 9.500v4",
  note: "M6 3.500h9l4 4v13H6zM9 11h7M9 15h7M14.500 3.500V8H19", book: "M12 6.500C9.500 4.500 6.500 4.500 4 5.500v13c2.500-1 5.500-1 8 1 2.500-2 5.500-2 8-1v-13c-2.500-1-5.500-1-8 1zM12 6.500v13",
  bag: "M5 8h14l1 12H4zM8.500 10.500V7a3.500 3.500 0 0 1 7 0v3.500",
  gear: "M12 8.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7M12 3v3M12 18v3M3 12h3M18 12h3M5.600 5.600l2.200 2.200M16.200 16.200l2.200 2.200M18.400 5.600l-2.200 2.200M7.800 16.200l-2.200 2.200",
  wifi: "M3 9.500c5-5 13-5 18 0M6.300 13c3.200-3.200 8.200-3.200 11.400 0M9.500 16.300c1.500-1.500 3.500-1.500 5 0M12 19.500h.01",
  bluetooth: "M7 7.500l10 9-5 4.500V3l5 4.500-10 9", display: "M4 5h16v11H4zM9 20h6M12 16v4", devices: "M3 6h13v9H3zM2 18.500h11M17 10h4.500v9.500H17z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  moon: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10", text: "M4 19 9.500 6 15 19M6 15h7M16 19l2.500-6 2.500 6M17 17h3",
  rotate: "M5 12a7 7 0 0 1 12.500-4.300M18 3.500v4.500h-4.500M19 12a7 7 0 0 1-12.500 4.300M6 20.500V16h4.500",
  sound: "M4 9.500h4l5-4.500v14l-5-4.500H4zM16 9c1.500 1.800 1.500 4.200 0 6M18.500 6.500c3 3.300 3 7.700 0 11",
  dnd: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17M8 12h8", lock: "M6 10.500h12v9.500H6zM8.500 10.500V8a3.500 3.500 0 0 1 7 0v2.500",
  info: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17M12 11v5.500M12 7.800h.01", home: "M4 11.500 12 4.500l8 7M6 10v10h12V10M10 20v-6h4v6",
  spark: "M13 3 6 13.500h5L10 21l8-11h-5.500z", ball: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17M4 10c5 1 8 5 8 10.500M20 14c-5-1-8-5-8-10.500",
  cup: "M5 8h11v6a5 5 0 0 1-5 5h-1a5 5 0 0 1-5-5zM16 9.500h2a2 2 0 0 1 0 5h-2M8 5V3.500M12.500 5V3.500",
  play: "M8 5l11 7-11 7z", pause: "M8.500 5v14M15.500 5v14", reset: "M5 12a7 7 0 1 0 2.200-5.100M5 4.500V9h4.500",
  shift: "M12 4.500 4.500 12.500H9V19h6v-6.500h4.500z", backspace: "M9 6h12v12H9l-6-6zM12.500 9.500l5 5M17.500 9.500l-5 5", enter: "M19 6v6.500H5.500M10 8l-4.500 4.500L10 17",
  sort: "M7 5v14M3.500 15.500 7 19l3.500-3.500M14 6h7M14 12h5M14 18h3", box: "M4 8l8-4 8 4v9l-8 4-8-4zM4 8l8 4 8-4M12 12v9",
};
const FILLED = {
  plane: "M21 15.500v-2l-7.500-4.700V4.500a1.500 1.500 0 0 0-3 0v4.300L3 13.500v2l7.500-2.300v4.300l-2 1.500v1.500l3.500-1 3.500 1V19l-2-1.500v-4.300z",
  signal: "M3 20h18V3z", battery: "M10 2.500h4V4h3v17.500H7V4h3z",
};

/** An icon `size` dp wide. `solid` fills what is otherwise only drawn. */
export function icon(name, size = 24, solid = false) {
  const path = STROKES[name] ?? FILLED[name];
  if (path === undefined) throw new Error(`no icon ${name}`);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", solid || name in FILLED ? "icon solid" : "icon");
  svg.style.width = svg.style.height = `${size / 10}rem`;
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
