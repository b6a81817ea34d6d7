"""What changes of a payload mean, on dicts and lists; a path is a list of keys, [] and [index]."""


def put(value, steps, payload, *, is_merge):
    """The value with a payload set, or put in place of what is there, at the end of a path."""
    if not steps:
        return {**_object(value), **payload} if is_merge else payload
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        found = _object(value)
        return {**found, step: put(found.get(step), rest, payload, is_merge=is_merge)}
    if not isinstance(value, list):
        return []
    return [
        put(element, rest, payload, is_merge=is_merge) if step in ([], [index]) else element
        for index, element in enumerate(value)
    ]


def removed(value, paths):
    """The value without what some paths name."""
    for steps in paths:
        value = _without(value, steps)
    return value


def _without(value, steps):
    step, rest = steps[0], steps[1:]
    if isinstance(step, str) and isinstance(value, dict):
        if not rest:
            return {key: value[key] for key in value if key != step}
        return {
            key: _without(inner, rest) if key == step else inner for key, inner in value.items()
        }
    if isinstance(step, list) and isinstance(value, list):
        if not rest:
            return value if step else []
        return [
            _without(element, rest) if step in ([], [index]) else element
            for index, element in enumerate(value)
        ]
    return value


def _object(value):
    return value if isinstance(value, dict) else {}
