"""Movies that nobody made: titles, years and genres for a synthetic dataset."""

import polars as pl

from movielens_api.datasets.randomness import Randomness


def _words(text: str) -> list[str]:
    return text.split()


ADJECTIVES = _words(
    "Amber Ancient Broken Burning Careless Crimson Crooked Daring Distant Electric Endless Fading Final Forgotten "
    "Frozen Gentle Golden Hidden Hollow Hungry Invisible Last Little Lonely Lost Lucky Midnight Narrow Perfect Quiet "
    "Reluctant Restless Sacred Scarlet Second Secret Silent Silver Stolen Wild"
)
NOUNS = _words(
    "Actor Alibi Bridge Captain Carnival Clockmaker Comet Courtroom Daughter Detective Dragon Empire Engine Garden "
    "Gambler Harbor Heart Hero Horizon House Island Journey Kingdom Letter Lighthouse Lover Machine Mirror Orchard "
    "Pilot Promise River Robot Season Shadow Sister Stranger Summer Voyage Winter"
)
PLACES = _words(
    "Alaska Avalon Babylon Berlin Bombay Bremen Cairo Carthage Chicago Cordoba Dakar Delhi Dublin Florence Geneva "
    "Havana Helsinki Istanbul Jaipur Kyoto Lima Lisbon Madrid Malta Marseille Memphis Nairobi Naples Odessa Oslo Paris "
    "Prague Quebec Samarkand Seville Siena Tangier Trieste Venice Vienna"
)
GENRES = _words(
    "Drama Comedy Thriller Romance Action Crime Horror Documentary Adventure Sci-Fi Mystery Fantasy War Western"
)
TITLES = len(ADJECTIVES) * len(NOUNS) * len(PLACES)
# Shares no factor with TITLES, so that multiplying by it visits every title before any comes again.
STRIDE = 26_371
FIRST_YEAR, LAST_YEAR = 1920, 1994


def movies(count: int, randomness: Randomness) -> pl.DataFrame:
    """Invent movies with the numbers from 1 to `count`; no two have the same title.

    Args:
        count: how many.
        randomness: where years and genres come from.
    """
    place = pl.int_range(count, dtype=pl.Int64)
    title = place * STRIDE % TITLES
    # Squared: the newer, the more movies. All are older than the first rating.
    age = randomness.uniform(place, 1).pow(2) * (LAST_YEAR - FIRST_YEAR + 1)
    return pl.select(
        movieId=(place + 1).cast(pl.Int32),
        title=pl.format(
            "The {} {} of {}{}",
            _pick(ADJECTIVES, title % len(ADJECTIVES)),
            _pick(NOUNS, title // len(ADJECTIVES) % len(NOUNS)),
            _pick(PLACES, title // (len(ADJECTIVES) * len(NOUNS))),
            pl.when(place < TITLES).then(pl.lit("")).otherwise(pl.format(" {}", place // TITLES + 1)),
        ),
        year=(LAST_YEAR - age.floor()).cast(pl.Int16),
        genres=_genres(place, randomness),
    )


def _pick(words: list[str], place: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(words)).gather(place)


def _genres(place: pl.Expr, randomness: Randomness) -> pl.Expr:
    # A main genre and, each for a third of the movies, further ones behind it in the list: never the same twice.
    main = (randomness.uniform(place, 2).pow(2) * (len(GENRES) - 2)).floor().cast(pl.Int64)
    chosen = [_pick(GENRES, main)]
    for further in (1, 2):
        genre = pl.format("|{}", _pick(GENRES, main + further))
        chosen.append(pl.when(randomness.uniform(place, 2 + further) < 1 / 3).then(genre).otherwise(pl.lit("")))
    return pl.concat_str(chosen)
