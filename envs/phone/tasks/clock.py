"""Tasks in the clock: alarms and the timer."""

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.draw_state import draw_time
from eyehand.envs.phone.state import Alarm, PhoneState
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.task import ASKING, Assignment, PhoneTask, changed, question


def set_alarm(draw: Draw, start: PhoneState) -> Assignment:
    """A new alarm, on, at a time that has none."""
    time = draw_time(draw, {alarm["time"] for alarm in start["alarms"]})
    goal = changed(start)
    goal["alarms"].append({"id": 0, "time": time, "label": "", "enabled": True})
    return Assignment(f"Set an alarm for {time}.", start, goal, parameters={"time": time})


def enable_alarm(draw: Draw, start: PhoneState) -> Assignment:
    """An alarm that is off gets on."""
    return _switch(draw, start, enabled=True)


def disable_alarm(draw: Draw, start: PhoneState) -> Assignment:
    """An alarm that is on gets off."""
    return _switch(draw, start, enabled=False)


def delete_alarm(draw: Draw, start: PhoneState) -> Assignment:
    """One alarm goes."""
    time = draw.choice(start["alarms"])["time"]
    goal = changed(start)
    goal["alarms"] = [alarm for alarm in goal["alarms"] if alarm["time"] != time]
    return Assignment(f"Delete the {time} alarm.", start, goal, parameters={"time": time})


def set_timer(draw: Draw, start: PhoneState) -> Assignment:
    """The timer runs, from a drawn time."""
    minutes, seconds = draw.integer(1, 30), 10 * draw.integer(0, 5)
    goal = changed(start)
    goal["timer"] = {"minutes": minutes, "seconds": seconds, "running": True}
    said = f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return Assignment(
        f"Start a timer of {said}.",
        start,
        goal,
        parameters={"minutes": minutes, "seconds": seconds},
    )


def count_alarms(draw: Draw, start: PhoneState) -> Assignment:
    """How many alarms are on."""
    count = sum(alarm["enabled"] for alarm in start["alarms"])
    return question(
        "How many alarms are on? Answer with a number.", start, RightAnswer(str(count), "count")
    )


def _switch(draw: Draw, start: PhoneState, enabled: bool) -> Assignment:
    chosen = draw.choice(start["alarms"])["time"]
    _alarm(start, chosen)["enabled"] = not enabled
    goal = changed(start)
    _alarm(goal, chosen)["enabled"] = enabled
    word = "on" if enabled else "off"
    parameters = {"time": chosen, "enabled": enabled}
    return Assignment(f"Turn {word} the {chosen} alarm.", start, goal, parameters=parameters)


def _alarm(state: PhoneState, time: str) -> Alarm:
    return next(alarm for alarm in state["alarms"] if alarm["time"] == time)


TASKS = (
    PhoneTask("set-alarm", set_alarm),
    PhoneTask("enable-alarm", enable_alarm),
    PhoneTask("disable-alarm", disable_alarm),
    PhoneTask("delete-alarm", delete_alarm),
    PhoneTask("set-timer", set_timer),
    PhoneTask("count-alarms", count_alarms, ASKING),
)
