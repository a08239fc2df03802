"""Files that a page asks for: file fields, pickers that a click opens, places to drop files on."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.elements import Element, element_at
from eyehand.envs.web.fields import FIELD_TIMEOUT_MS, handle_of, refused
from eyehand.errors import ActionHadNoEffect, InvalidArgument

CHOOSER_TIMEOUT_S = 2.0
# A click opens its picker soon; only then is a drop tried, which a page may take without using it.
SOON_S = 0.5

# `showOpenFilePicker` opens a window that belongs to nobody here. A file field, which is asked for
# its files like any other, takes its place; the page gets real handles, of copies.
PICKER_SCRIPT = """(() => {
  if (typeof window.showOpenFilePicker !== 'function') return;
  const accepted = types => (types || []).flatMap(
    type => Object.entries(type.accept || {}).flat(2)).join(',');
  const handle = async file => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('picked-' + crypto.randomUUID(), {create: true});
    const copy = await folder.getFileHandle(file.name, {create: true});
    const writer = await copy.createWritable();
    await writer.write(file);
    await writer.close();
    return copy;
  };
  window.showOpenFilePicker = function showOpenFilePicker(options = {}) {
    return new Promise((resolve, reject) => {
      if (!navigator.userActivation.isActive)
        return reject(new DOMException('Must be handling a user gesture.', 'SecurityError'));
      const field = document.createElement('input');
      field.type = 'file';
      field.multiple = !!options.multiple;
      if (options.excludeAcceptAllOption) field.accept = accepted(options.types);
      field.onchange = () => Promise.all([...field.files].map(handle)).then(resolve, reject);
      field.oncancel = () => reject(new DOMException('The user aborted a request.', 'AbortError'));
      field.click();
    });
  };
})()"""

# Whether the page would take what is dragged over it now: its scripts say so to the last event.
_HEAR_DRAG = """() => {
  const heard = {last: null};
  const hear = event => { heard.last = event; };
  addEventListener('dragover', hear, {capture: true});
  heard.end = () => {
    removeEventListener('dragover', hear, {capture: true});
    return !!heard.last && heard.last.defaultPrevented;
  };
  return heard;
}"""


async def upload_files(context: ActionContext, x: float, y: float, names: Sequence[str]) -> None:
    """Give some of the episode's files to what asks for files at a point.

    Args:
        context: What the action works on.
        x: From the left of the viewport, in CSS pixels.
        y: From its top.
        names: The files' names.

    Raises:
        InvalidArgument: the episode has no such file.
        ActionHadNoEffect: what is there takes a single file, or none.
    """
    paths = [_given(context, name) for name in dict.fromkeys(names)]
    element = context.under = await element_at(context.tab.page, x, y)
    shown = ", ".join(map(repr, dict.fromkeys(names)))
    context.effect = f"uploaded {shown} to {element}"
    try:
        if element.kind == "file":
            handle = await handle_of(element)
            _check_number(paths, await handle.evaluate("e => e.multiple"))
            await handle.set_input_files(paths, timeout=FIELD_TIMEOUT_MS)
            return
        context.tab.chooser = None
        await context.tab.page.mouse.click(x, y)
        if await _answer_chooser(context, paths, SOON_S):
            return
        if context.tabs.dialog is None and await _drop(context, element, (x, y), paths):
            context.effect = f"dropped {shown} on {element}"
        elif not await _answer_chooser(context, paths, CHOOSER_TIMEOUT_S - SOON_S):
            context.effect = f"clicked {element}; no file picker opened"
            context.feedback, context.failed = "Nothing at the point asks for a file.", True
    except PlaywrightError as error:
        raise refused(error) from error


def _given(context: ActionContext, name: str) -> Path:
    path = context.uploads.get(name)
    if path is None:
        known = ", ".join(context.uploads) or "none"
        raise InvalidArgument(f"{name!r} is no file of this task; its files: {known}")
    if path.resolve() != path:
        raise ActionHadNoEffect(f"the file {name!r} was replaced by a link since the start")
    if not path.is_file():
        raise ActionHadNoEffect(f"the file {name!r} cannot be read")
    return path


def _check_number(paths: Sequence[Path], several: bool) -> None:
    if len(paths) > 1 and not several:
        raise ActionHadNoEffect(f"one file is asked for, and {len(paths)} were given")


async def _answer_chooser(context: ActionContext, paths: Sequence[Path], timeout_s: float) -> bool:
    """Give the files to the picker that a click opens; return whether one did in time."""
    clock = asyncio.get_running_loop().time
    end_s = clock() + timeout_s
    while context.tab.chooser is None and clock() < end_s and context.tabs.dialog is None:
        await context.tabs.news.wait(end_s - clock())
    chooser, context.tab.chooser = context.tab.chooser, None
    if chooser is None:
        return False
    _check_number(paths, chooser.is_multiple())
    await chooser.set_files(list(paths), timeout=FIELD_TIMEOUT_MS)
    return True


async def _drop(
    context: ActionContext, element: Element, place: tuple[float, float], paths: Sequence[Path]
) -> bool:
    """Drag the files to a point and drop them where the page takes them; return whether it does."""
    session = await context.tab.session()
    files = [str(path.resolve()) for path in paths]
    dragged = {"items": [], "files": files, "dragOperationsMask": 1}

    async def drag(kind: str) -> None:
        x, y = place
        event = {"type": kind, "x": x, "y": y, "data": dragged}
        await session.send("Input.dispatchDragEvent", event)

    heard = await element.frame.evaluate_handle(_HEAR_DRAG)
    await drag("dragEnter")
    await drag("dragOver")
    await drag("dragOver")
    takes = bool(await heard.evaluate("heard => heard.end()"))
    await drag("drop" if takes else "dragCancel")
    return takes
