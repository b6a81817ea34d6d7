"""Random points, filters and queries about which the official client's local mode agrees with us.

What it answers in another way, `test_local_mode_departures.py` lists; none of that is drawn here.
Every value depends on the seed alone.
"""

import uuid
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np

import formula_model
from asyncstore import models as m

IDS = [*range(120), 2**63, 2**64 - 1, *(str(uuid.UUID(int=n << 70 | n)) for n in range(1, 39))]
UUIDS = [str(uuid.UUID(int=number << 64 | 7)) for number in range(1, 4)]
WORDS = ["red", "Red", "blue", "red blue", "x red", "öl", "", "1"]
DATES = [
    *("2024-02-29", "2023-02-28", "2024-02-29T12:00:00Z", "2024-02-29 12:00"),
    *("2024-02-29T13:00:00+01:00", "2024-02-29T12:00:00.000001Z", "2024-02-29 07:00:00.5-05:00"),
]
MOMENTS = [
    *(date(2024, 2, 29), datetime(2024, 2, 29, 12), datetime(2024, 2, 29, 12, tzinfo=UTC)),
    datetime(2024, 2, 29, 7, 0, 0, 1, tzinfo=timezone(timedelta(hours=-5))),
]
ZONED = [one for one in DATES if one.endswith(("Z", "+01:00", "-05:00"))]
DIM = 8
NAMED = {str(distance).lower(): distance for distance in m.Distance}
MULTIVECTORS = {f"rows-{name}": distance for name, distance in NAMED.items()}
SPARSE = {"words": m.SparseVectorParams(), "rare": m.SparseVectorParams(modifier=m.Modifier.IDF)}
# Searches there fail where a point has no multivector, and rarity counts points without a vector.
ALWAYS = {*MULTIVECTORS, "rare"}
DIMS = 60
# Fields that an order or a facet goes by, and the indexes that it needs.
ORDERED = {"number": "float", "rank": "integer", "at": "datetime", "deep.x": "float"}
COUNTED = {"rank": "integer", "word": "keyword", "flag": "bool", "key": "uuid"}
OTHER_INDEXES = {"place": "geo", "rows[].a": "integer", "rows[].b": "keyword", "odd": "keyword"}
GROUPED = ["rank", "word", "key", "rows[].a", "missing"]


class Data:
    """What a seed gives: `draw` chooses, `numbers` makes vectors; `names` are those of vectors."""

    def __init__(self, draw, numbers, names):
        self.draw, self.numbers, self.names = draw, numbers, names

    # ---- points ---------------------------------------------------------------------------------

    def vector(self, name):
        """Flat; of a multivector up to four rows."""
        if name in SPARSE:
            return self._sparse()
        shape = (self.draw.randint(1, 4), DIM) if name in MULTIVECTORS else DIM
        return self.numbers.standard_normal(shape).astype(np.float32).tolist()

    def _sparse(self):
        """Few indices in most vectors, many in few."""
        drawn = np.exp(self.numbers.uniform(0, np.log(DIMS), self.draw.randint(1, 12)))
        indices = np.unique(drawn.astype(int))
        values = self.numbers.standard_normal(len(indices)).astype(np.float32)
        return m.SparseVector(indices=indices.tolist(), values=values.tolist())

    def vectors(self):
        return {
            name: self.vector(name)
            for name in self.names
            if name in ALWAYS or self.draw.random() < 0.8
        }

    def payload(self):
        draw = self.draw
        drawn = {
            "number": self._one_or_some(lambda: draw.choice([-2, 0, 1, 3, 7, 0.5, -1.5, 1e20])),
            "rank": self._one_or_some(lambda: draw.randrange(6)),
            "word": self._one_or_some(lambda: draw.choice(WORDS)),
            "flag": self._one_or_some(lambda: draw.random() < 0.5),
            "at": self._one_or_some(lambda: draw.choice(DATES)),
            "key": self._one_or_some(lambda: draw.choice(UUIDS)),
            "place": self._one_or_some(self._place),
            "rows": draw.choice([self._row(), [self._row() for _ in range(draw.randrange(4))]]),
            "deep": {"x": draw.choice([-1, 2, 2.5]), "y": [{"z": draw.choice(WORDS)}]},
            "odd": draw.choice([None, [], [None], {}, "text", [[]], [None, 1], 0, ""]),
            "dotted.key": draw.choice(WORDS),
            "part": draw.randrange(4),
        }
        some = {key: value for key, value in drawn.items() if draw.random() < 0.8}
        return {**formula_model.payload(draw), **some}

    def _one_or_some(self, one):
        if self.draw.random() < 0.6:
            return one()
        return [one() for _ in range(self.draw.randrange(4))]

    def _place(self):
        return {"lon": self.draw.randint(-180, 180), "lat": self.draw.randint(-90, 90)}

    def _row(self):
        draw = self.draw
        row = {"a": draw.randrange(4), "b": draw.choice(WORDS), "c": draw.choice([[], [1, 2], [3]])}
        return {key: value for key, value in row.items() if draw.random() < 0.8}

    # ---- filters --------------------------------------------------------------------------------

    def filter(self, depth=0):
        draw = self.draw

        def clause():
            conditions = [self.condition(depth) for _ in range(draw.randint(1, 3))]
            return conditions[0] if len(conditions) == 1 and draw.random() < 0.5 else conditions

        match draw.randrange(6):
            case 0 | 1:
                return m.Filter(must=clause())
            case 2:
                return m.Filter(should=clause())
            case 3:
                return m.Filter(must=draw.choice([None, []]), must_not=clause())
            case 4:
                conditions = [self.condition(depth) for _ in range(3)]
                least = m.MinShould(conditions=conditions, min_count=draw.randrange(4))
                return m.Filter(min_should=least)
            case _:
                return m.Filter(must=clause(), should=clause(), must_not=clause())

    def condition(self, depth):
        draw = self.draw
        match draw.randrange(10):
            case 0 if depth < 2:
                return self.filter(depth + 1)
            case 1:
                return m.HasIdCondition(has_id=draw.sample(IDS, 40))
            case 2:
                return m.HasVectorCondition(has_vector=draw.choice(self.names))
            case 3 | 4:
                return self._nested()
            case _:
                return self._of_payload(PATHS)

    def _nested(self):
        """About one of the elements of "rows"."""

        def clause():
            return [self._of_payload(INNER) for _ in range(self.draw.randrange(3))] or None

        inner = m.Filter(must=clause(), should=clause(), must_not=clause())
        key = self.draw.choice(["rows", "rows[]"])
        return m.NestedCondition(nested=m.Nested(key=key, filter=inner))

    def _of_payload(self, kinds):
        draw = self.draw
        path = draw.choice(list(kinds))
        kind = draw.choice([*kinds[path], "present"])
        if kind == "present":
            field = m.PayloadField(key=path)
            return draw.choice(
                [m.IsEmptyCondition(is_empty=field), m.IsNullCondition(is_null=field)]
            )
        return m.FieldCondition(key=path, **getattr(self, f"_{kind}")())

    def _integers(self):
        return {"match": self._matches([-2, 0, 1, 2, 3, 7, 10**9])}

    def _words(self):
        return {"match": self._matches([*WORDS, "nix"])}

    def _keys(self):
        return {"match": self._matches(UUIDS)}

    def _matches(self, values):
        some = self.draw.sample(values, self.draw.randrange(min(4, len(values))))
        return self.draw.choice(
            [
                m.MatchValue(value=self.draw.choice(values)),
                m.MatchAny(any=some),
                m.MatchExcept(except_=some),
            ]
        )

    def _flags(self):
        return {"match": m.MatchValue(value=self.draw.random() < 0.5)}

    def _texts(self):
        text = self.draw.choice(["e", "red", "ed b", "R", "zz", "x red"])
        return {"match": self.draw.choice([m.MatchText(text=text), m.MatchTextAny(text_any=text)])}

    def _ranges(self):
        return {"range": m.Range(**self._bounds([-1.5, -1, 0, 0.5, 2, 3, 1e19]))}

    def _times(self):
        return {"range": m.DatetimeRange(**self._bounds([*DATES, *MOMENTS]))}

    def _counts(self):
        return {"values_count": m.ValuesCount(**self._bounds([1, 2, 3]) | self._least())}

    def _least_counts(self):
        return {"values_count": m.ValuesCount(**self._least())}

    def _least(self):
        return self.draw.choice([{"gt": 0}, {"gte": 1}, {"gt": 1}])

    def _bounds(self, values):
        names = self.draw.sample(["gt", "gte", "lt", "lte"], self.draw.randint(1, 2))
        return {name: self.draw.choice(values) for name in names}

    def _shapes(self):
        """Half a degree beside all places, and no radius that one of them has to another."""
        point, draw = self._point, self.draw
        match draw.randrange(3):
            case 0:
                box = m.GeoBoundingBox(top_left=point(), bottom_right=point())
                return {"geo_bounding_box": box}
            case 1:
                radius = draw.choice([1e5, 3.3e6, 9e6])
                return {"geo_radius": m.GeoRadius(center=point(), radius=radius)}
            case _:
                corners = [point() for _ in range(draw.randint(3, 5))]
                ring = m.GeoLineString(points=[*corners, corners[0]])
                return {"geo_polygon": m.GeoPolygon(exterior=ring, interiors=[])}

    def _point(self):
        draw = self.draw
        return m.GeoPoint(lon=draw.randint(-170, 169) + 0.37, lat=draw.randint(-80, 79) + 0.21)

    # ---- queries --------------------------------------------------------------------------------

    def query(self, name, ids):
        """A query by examples, of which some are ids of points that have the vector."""
        draw = self.draw

        def example():
            return draw.choice(ids) if ids and draw.random() < 0.5 else self.vector(name)

        def some(least, most):
            return [example() for _ in range(draw.randint(least, most))]

        def pairs(least):
            return [
                m.ContextPair(positive=example(), negative=example())
                for _ in range(draw.randint(least, 3))
            ]

        match draw.randrange(6):
            case 0 | 1:
                return m.NearestQuery(nearest=example())
            case 2 | 3:
                strategy = draw.choice(list(m.RecommendStrategy))
                recommend = m.RecommendInput(
                    positive=some(1, 3), negative=some(0, 3), strategy=strategy
                )
                return m.RecommendQuery(recommend=recommend)
            case 4:
                discover = m.DiscoverInput(target=example(), context=pairs(0))
                return m.DiscoverQuery(discover=discover)
            case _:
                return m.ContextQuery(context=pairs(1))


# What may be asked of the values at a path.
PATHS = {
    "number": ["integers", "ranges", "counts"],
    "number[]": ["ranges"],
    "number[0]": ["ranges"],
    "rank": ["integers", "ranges", "counts"],
    "word": ["words", "words", "texts", "counts"],
    "word[1]": ["words"],
    "flag": ["flags"],
    "at": ["times", "words"],
    "key": ["keys"],
    "place": ["shapes", "shapes", "counts"],
    "rows[].a": ["integers", "ranges"],
    "rows[].b": ["words", "texts"],
    "rows[].c": ["integers", "least_counts"],
    "rows[0].a": ["integers"],
    "deep.x": ["ranges"],
    "deep.y[].z": ["words"],
    '"dotted.key"': ["words"],
    "odd": ["counts"],
    "odd[]": ["present"],
    "missing": ["words"],
}
INNER = {"a": ["integers", "ranges"], "b": ["words", "texts"], "c": ["integers", "counts"]}
