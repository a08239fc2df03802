"""`getprop`: what the phone says of itself."""

from eyehand.envs.phone.shell.system import Invocation, PhoneSystem

PRODUCT = "eyehand_phone"
MODEL = "eyehand simulated phone"
FIXED = {
    "dev.bootcomplete": "1",
    "persist.sys.locale": "en-US",
    "ro.build.characteristics": "default",
    "ro.build.type": "user",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.product.brand": "eyehand",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.product.device": PRODUCT,
    "ro.product.manufacturer": "eyehand",
    "ro.product.model": MODEL,
    "ro.product.name": PRODUCT,
    "sys.boot_completed": "1",
}


def getprop(call: Invocation) -> int:
    """`getprop [NAME]`: one value, empty where there is none; or all of them."""
    values = properties(call.system)
    if call.arguments:
        fallback = call.arguments[1] if len(call.arguments) > 1 else ""
        call.say(values.get(call.arguments[0], fallback))
    else:
        for name, value in sorted(values.items()):
            call.say(f"[{name}]: [{value}]")
    return 0


def properties(system: PhoneSystem) -> dict[str, str]:
    """Return every property of the phone."""
    density = str(system.screen.density)
    return {**FIXED, "ro.serialno": system.serial, "ro.sf.lcd_density": density}
