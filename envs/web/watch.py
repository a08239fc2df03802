"""What watches a frame from inside: whether it is quiet, and whether anything changed meanwhile.

A mutation observer sees the document's own tree. It sees no drawing on a canvas, no frame of a
video, nothing in a shadow tree, no value that a script sets, no focus, no scrolled area and no
rule of a style sheet. Whether the page is quiet is asked of the tree, of scrolling and of
animations alone; that nothing changed is claimed only where none of the others did either, but
for canvases: whether the page painted is told by the browser (see painting.py).

Once the page is quiet it is still watched, until it changes: a list of suggestions that loads, or a
layout that moves, comes after the picture, and whoever acts next should know. Nobody waits for it.
"""

from eyehand.envs.web.downloads import CLICKS

# Begins to watch one frame; `state` becomes [state, title, whether anything changed meanwhile,
# whether there are canvases, the document's name and how many downloads it has asked for (see
# downloads.py)], `changed` whether anything did afterwards. Frames out of sight get no animation
# frames, hence the timers beside them: they keep the bounds, but call a page calm only where no
# animation frame comes. On a busy machine these are far apart, and what a script changes in each of
# them would look quiet between two. Animations that end within 1.5 s are worth waiting for.
_WATCH = """([frames, changeMs, loadMs, drawnAtOnce, afterMs]) => {
  let later;
  const changed = new Promise(resolve => { later = resolve; });
  return {changed, state: new Promise(resolve => {
  const began = performance.now();
  const place = () => scrollX + ' ' + scrollY;
  const animated = () => document.getAnimations().some(a => {
    if (a.playState !== 'running' || !a.effect) return false;
    const left = a.effect.getComputedTiming().endTime - a.currentTime;
    return left > 0 && left < 1500;
  });

  // Where changes leave no trace at all; a custom element may hold a closed shadow tree.
  const offscreen = window[Symbol.for('eyehand.offscreen')] || {canvases: 0};
  const untraceable = e => e.shadowRoot !== null || e.localName.includes('-') ||
    /^(video|audio|object|embed)$/.test(e.localName);
  const rules = sheet => { try { return sheet.cssRules.length; } catch { return -1; } };
  const traces = () => {
    const at = getSelection(), sheets = [...document.styleSheets, ...document.adoptedStyleSheets];
    return [
      document.activeElement, at?.anchorNode, at?.anchorOffset, at?.focusNode, at?.focusOffset,
      ...[...document.querySelectorAll('input, textarea, select')].flatMap(
        e => [e, e.value, e.checked, e.indeterminate, e.selectionStart, e.selectionEnd]),
      ...sheets.flatMap(sheet => [sheet, sheet.disabled, rules(sheet)]),
    ];
  };
  const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

  const before = traces();
  let calm = 0, why = 'changing', last = place();
  const elements = document.querySelectorAll(drawnAtOnce ? `:not(${drawnAtOnce})` : '*');
  const drawable = [...elements].some(e => e.localName === 'canvas');
  let touched = animated() || [...elements].some(untraceable);
  let ended = false;
  const touch = () => { touched = true; if (ended) stop(true); };
  const EVENTS = ['scroll', 'load', 'beforetoggle'];
  for (const name of EVENTS) addEventListener(name, touch, {capture: true, passive: true});
  const observer = new MutationObserver(() => { calm = -1; touch(); why = 'changing'; });
  observer.observe(document,
    {subtree: true, childList: true, attributes: true, characterData: true});
  const stop = how => {
    observer.disconnect();
    for (const name of EVENTS) removeEventListener(name, touch, {capture: true});
    later(how);
  };
  const clicks = CLICKS;
  const end = () => {
    const untouched = !touched && !(drawable && offscreen.canvases) && same(before, traces());
    const quiet = calm >= frames;
    ended = true;
    if (quiet && afterMs) setTimeout(stop, afterMs, false); else stop(false);
    resolve([quiet ? 'quiet' : why, document.title.slice(0, 200), !untouched, drawable,
      clicks()]);
  };

  let framed = began;
  const inSight = document.visibilityState === 'visible' && innerWidth * innerHeight > 1;
  const drawn = () =>
    inSight && performance.now() - framed < (window === top || framed > began ? 1000 : 250);
  const look = isFrame => {
    if (ended) return;
    if (isFrame) framed = performance.now();
    const now = place();
    if (document.readyState !== 'complete') { why = 'loading'; calm = 0; touch(); }
    else if (now !== last || animated()) { why = 'moving'; calm = 0; touch(); }
    else if (isFrame || !drawn()) calm += 1;
    last = now;
    const limit = why === 'loading' ? loadMs : changeMs;
    if (calm >= frames || performance.now() - began >= limit) end();
    else if (isFrame) requestAnimationFrame(() => look(true));
    else setTimeout(look, 50, false);
  };
  requestAnimationFrame(() => look(true));
  setTimeout(look, 50, false);
  })};
}"""
WATCH = _WATCH.replace("CLICKS", CLICKS)
