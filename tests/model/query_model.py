"""What queries find, by brute force in float64.

Written from what queries mean alone, with nothing of asyncstore but its models. `vectors` are those
of the points that pass the filter, by id; a query comes with vectors in place of ids.
"""

import functools

import numpy as np

from asyncstore import models as m

EPSILON = float(np.finfo(np.float32).eps)


def similarity(distance, a, b):
    """s(x): the score, but of distances minus (the square of) them.

    Of multivectors, which have two axes, the sum over the rows of `a` of that to the nearest one
    of `b`.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if b.ndim == 2:
        return float(_of_rows(distance, np.atleast_2d(a), b).max(axis=1).sum())
    match distance:
        case m.Distance.COSINE:
            lengths = np.linalg.norm(a) * np.linalg.norm(b)
            return float(a @ b / lengths) if lengths > 0 else 0.0
        case m.Distance.DOT:
            return float(a @ b)
        case m.Distance.EUCLID:
            return -float(np.sum((a - b) ** 2))
        case m.Distance.MANHATTAN:
            return -float(np.sum(np.abs(a - b)))


def _of_rows(distance, a, b):
    """Of each row of `a` to each of `b`."""
    match distance:
        case m.Distance.EUCLID:
            return -((a[:, None] - b) ** 2).sum(axis=2)
        case m.Distance.MANHATTAN:
            return -np.abs(a[:, None] - b).sum(axis=2)
        case m.Distance.COSINE:
            lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
            return a @ b.T / np.where(lengths > 0, lengths, 1)
        case _:
            return a @ b.T


def score_of(query, distance, vector, similarity=similarity):
    """The score that a point with this vector has."""

    def s(example):
        return similarity(distance, example, vector)

    match query:
        case m.NearestQuery(nearest=nearest):
            return shown(distance, s(nearest))
        case m.RecommendQuery(recommend=recommend):
            return _recommended(recommend, distance, s)
        case m.DiscoverQuery(discover=discover):
            ranks = [
                np.sign(s(pair.positive) - s(pair.negative)) for pair in pairs_of(discover.context)
            ]
            return float(sum(ranks)) + _between_0_and_1(s(discover.target))
        case m.ContextQuery(context=context):
            return sum(
                _squashed(min(s(pair.positive) - s(pair.negative) - EPSILON, 0.0))
                for pair in pairs_of(context)
            )


def summed(query, distance, vectors, similarity=similarity):
    """The most that scores by this query add up before signs cancel; 0: they are no such sums."""
    match query:
        case m.RecommendQuery(recommend=recommend) if (
            recommend.strategy == m.RecommendStrategy.SUM_SCORES
        ):
            examples = [*(recommend.positive or []), *(recommend.negative or [])]
            return max(
                (
                    sum(abs(similarity(distance, one, vector)) for one in examples)
                    for vector in vectors.values()
                ),
                default=0.0,
            )
    return 0.0


def ranked(query, distance, vectors, similarity=similarity):
    """All ids with their scores, best first."""
    scores = {
        point: score_of(query, distance, vector, similarity) for point, vector in vectors.items()
    }
    sign = 1 if smaller_is_better(query, distance) else -1
    return sorted(scores.items(), key=lambda one: sign * one[1])


def smaller_is_better(query, distance):
    nearest = isinstance(query, m.NearestQuery) or (
        isinstance(query, m.RecommendQuery)
        and query.recommend.strategy in (None, m.RecommendStrategy.AVERAGE_VECTOR)
    )
    return nearest and distance in (m.Distance.EUCLID, m.Distance.MANHATTAN)


def rrf(lists, k=2, weights=None):
    scores = {}
    for ranked_ids, weight in zip(lists, weights or [1] * len(lists), strict=True):
        for place, (point, _) in enumerate(ranked_ids):
            scores[point] = scores.get(point, 0) + 1 / ((place + 1) / weight + k - 1)
    return scores


def dbsf(lists):
    scores = {}
    for ranked_ids in lists:
        given = np.array([score for _, score in ranked_ids])
        deviation = given.std(ddof=1) if len(given) > 1 else 0.0
        for point, score in ranked_ids:
            if deviation > 0:
                scaled = (score - (given.mean() - 3 * deviation)) / (6 * deviation)
            else:
                scaled = 0.5
            scores[point] = scores.get(point, 0) + scaled
    return scores


def diverse(similar, query, best, vectors, relevance, wanted):
    """Ids chosen for nearness and difference; None where a choice hangs on the last digits.

    `best` are the candidates with their scores, the nearest first; `similar(a, b)` says how near b
    is to a, which is the query: of two candidates the one that is not chosen yet.
    """
    if not best or (len(best) > 1 and is_close(best[0][1], best[1][1])):
        return None if best else []
    own = {point: similar(query, vectors[point]) for point, _ in best}
    like_chosen = dict.fromkeys(own, -np.inf)
    chosen = [best[0][0]]
    while len(chosen) < min(wanted, len(best)):
        del like_chosen[chosen[-1]]
        for point, most in like_chosen.items():
            like_chosen[point] = max(most, similar(vectors[point], vectors[chosen[-1]]))
        marginal = {
            point: relevance * own[point] - (1 - relevance) * most
            for point, most in like_chosen.items()
        }
        first, *others = sorted(marginal.values(), reverse=True)[:2]
        if others and is_close(first, others[0]):
            return None
        chosen.append(max(marginal, key=marginal.get))
    return chosen


def is_close(score, other):
    """Whether rounding may decide which of two is the better one."""
    return abs(score - other) < 1e-4 * (1 + abs(score))


def is_doubtful(query, vectors, similar):
    """Whether to one of the points two examples are as near as each other, up to rounding.

    Rounding decides a whole rank then; even one example may be nearer than itself, where both are
    multiplied in another order. Sparse vectors that share nothing are 0 from each other without it.
    """
    match query:
        case m.DiscoverQuery(discover=discover):
            sides = [([pair.positive], [pair.negative]) for pair in pairs_of(discover.context)]
        case m.RecommendQuery(recommend=recommend) if (
            recommend.strategy == m.RecommendStrategy.BEST_SCORE and recommend.negative
        ):
            sides = [(recommend.positive, recommend.negative)]
        case _:
            return False

    def doubt(vector, side, other):
        score, against = (max(similar(one, vector) for one in ones) for ones in (side, other))
        return is_close(score, against) and not score == against == 0

    return any(doubt(vector, *pair) for vector in vectors for pair in sides)


def pairs_of(context):
    if context is None:
        return []
    return [context] if isinstance(context, m.ContextPair) else list(context)


def shown(distance, similar):
    """The score for a similarity: distances as they are."""
    match distance:
        case m.Distance.EUCLID:
            return float(np.sqrt(max(-similar, 0.0)))
        case m.Distance.MANHATTAN:
            return -similar
        case _:
            return similar


def _recommended(recommend, distance, s):
    positive, negative = list(recommend.positive or []), list(recommend.negative or [])
    match recommend.strategy:
        case m.RecommendStrategy.BEST_SCORE:
            best = max(map(s, positive), default=-np.inf)
            worst = max(map(s, negative), default=-np.inf)
            return _between_0_and_1(best) if best > worst else -_between_0_and_1(worst)
        case m.RecommendStrategy.SUM_SCORES:
            return sum(map(s, positive)) - sum(map(s, negative))
        case _:
            if np.ndim(positive[0]) == 2:  # all rows, those of negative examples negated
                rows = [*map(np.asarray, positive), *(-np.asarray(one) for one in negative)]
                return shown(distance, s(np.concatenate(rows)))
            average = np.mean(positive, axis=0)
            if negative:
                average = 2 * average - np.mean(negative, axis=0)
            return shown(distance, s(average))


def _squashed(x):
    return x / (1 + abs(x))


def _between_0_and_1(x):
    return (_squashed(x) + 1) / 2


def sparse_ranked(query, vectors, corpus=None):
    """All ids with their scores, best first.

    Sparse vectors are dicts from index to weight. By one vector those are found that share an index
    with it, by several examples all. With a corpus, the vectors of all points, the weights of a
    query count by how rare their index is in it.
    """
    rarity = None if corpus is None else functools.cache(functools.partial(idf, corpus=corpus))

    def product(_, example, vector):
        return sparse_product(example, vector, rarity)

    example = _one_of(query)
    if example is not None:
        query = m.NearestQuery(nearest=example)
        vectors = {one: own for one, own in vectors.items() if own.keys() & example.keys()}
    scores = {
        point: score_of(query, m.Distance.DOT, vector, product) for point, vector in vectors.items()
    }
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))


def sparse_product(a, b, rarity=None):
    shared = a.keys() & b.keys()
    return sum(a[one] * b[one] * (1 if rarity is None else rarity(one)) for one in shared)


def _one_of(query):
    """The one vector that a query is by; None if it is by several."""
    match query:
        case m.NearestQuery(nearest=nearest):
            return nearest
        case m.RecommendQuery(recommend=recommend) if recommend.strategy in (
            None,
            m.RecommendStrategy.AVERAGE_VECTOR,
        ):
            return sparse_average(recommend.positive, recommend.negative or [])
    return None


def sparse_average(positive, negative):
    """The query of a recommendation by the average vector, in float32, as the core takes it."""
    weights = [(vector, (2 if negative else 1) / len(positive)) for vector in positive]
    weights += [(vector, -1 / len(negative)) for vector in negative]
    average = {}
    for vector, weight in weights:
        for index, value in vector.items():
            average[index] = average.get(index, 0.0) + weight * value
    return {index: float(np.float32(value)) for index, value in average.items()}


def idf(index, corpus):
    having = sum(index in vector for vector in corpus.values())
    return float(np.log(1 + (len(corpus) - having + 0.5) / (having + 0.5)))
