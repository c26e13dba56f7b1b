"""The events of a song arranged by its plan, part by part: programs, key, dynamics and channel settings."""

from collections.abc import Iterable

from unbraid.corpora.rendering.midi import (
    BANK,
    CHANNELS,
    CHORUS,
    CONTROL,
    DRUM_CHANNEL,
    NOTE_OFF,
    NOTE_ON,
    PAN,
    PROGRAM,
    REVERB,
    VOLUME,
    Event,
    part_of,
)
from unbraid.corpora.rendering.plan import Plan, Strip

# The extra zones of an electronic kit (Roland TD-11, in Groove MIDI) -> the General MIDI drum they stand for
_ZONES = {22: 42, 26: 46, 58: 43}
_FULL_VOLUME = 100


def arranged(events: Iterable[Event], plan: Plan) -> dict[str, list[Event]]:
    """Part -> events: a note goes to one part, everything else to all of them."""
    strips = {strip.channel: strip for strip in plan.strips}
    swaps = {strip.channel: dict(strip.programs) for strip in plan.strips}
    programs = [swaps.get(channel, {}).get(0, 0) for channel in range(CHANNELS)]  # as played; files start with piano
    parts = {name: _settings(plan.strips, programs, plan.drum_program) for name in plan.parts}
    for event in events:
        channel = event.channel
        if channel not in strips:
            continue
        changed = _changed(event, plan, strips[channel], swaps[channel])
        if changed is None:
            continue
        if changed.kind == PROGRAM:
            programs[channel] = changed.data[0]
        if changed.kind == NOTE_ON:
            name = part_of(channel, programs[channel])
            if name in parts and not strips[channel].muted:
                parts[name].append(changed)
        else:
            for part in parts.values():
                part.append(changed)
    return parts


def _settings(strips: Iterable[Strip], programs: list[int], drum_program: int) -> list[Event]:
    """The initial settings of each channel."""
    events = []
    for strip in strips:
        program = drum_program if strip.channel == DRUM_CHANNEL else programs[strip.channel]
        events.append(Event(0.0, PROGRAM, strip.channel, (program,)))
        volume = round(_FULL_VOLUME * strip.volume)
        for control, value in ((VOLUME, volume), (PAN, strip.pan), (REVERB, strip.reverb), (CHORUS, strip.chorus)):
            events.append(Event(0.0, CONTROL, strip.channel, (control, value)))
    return events


def _changed(event: Event, plan: Plan, strip: Strip, swap: dict[int, int]) -> Event | None:
    """The event as it is played; None: left out."""
    drums = event.channel == DRUM_CHANNEL
    if event.kind == PROGRAM:
        return event._replace(data=(plan.drum_program if drums else swap.get(event.data[0], event.data[0]),))
    if event.kind == CONTROL:
        control, value = event.data
        if control in (PAN, REVERB, CHORUS, *BANK):
            return None
        return event._replace(data=(control, round(value * strip.volume))) if control == VOLUME else event
    if event.kind in (NOTE_ON, NOTE_OFF):
        pitch, velocity = event.data
        pitch = _ZONES.get(pitch, pitch) if drums else _in_keyboard(pitch + plan.transpose)
        if event.kind == NOTE_ON:
            velocity = max(1, round(127 * (velocity / 127) ** plan.dynamics))
        return event._replace(data=(pitch, velocity))
    return event


def _in_keyboard(pitch: int) -> int:
    return pitch + 12 if pitch < 0 else pitch - 12 if pitch > 127 else pitch
