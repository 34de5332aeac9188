"""All profiles by name, from the innermost layer to the outermost, in which order they are combined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from movielens_api.hostile import bad_rows, bodies, changes, paging, refusals, wire

if TYPE_CHECKING:
    from movielens_api.hostile.middleware import Layer

PROFILES: dict[str, type[Layer]] = {
    "inserts": changes.Inserts,
    "deletes": changes.Deletes,
    "inserts-and-deletes": changes.InsertsAndDeletes,
    "clamped-limit": paging.ClampedLimit,
    "rows-out-of-window": paging.RowsOutOfWindow,
    "repeated-page": paging.RepeatedPage,
    "empty-page": paging.EmptyPage,
    "duplicate-rows": bad_rows.DuplicateRows,
    "rows-out-of-order": bad_rows.RowsOutOfOrder,
    "off-step-ratings": bad_rows.OffStepRatings,
    "nan-ratings": bad_rows.NanRatings,
    "null-values": bad_rows.NullValues,
    "text-numbers": bad_rows.TextNumbers,
    "missing-total": paging.MissingTotal,
    "total-too-large": paging.TotalTooLarge,
    "total-too-small": paging.TotalTooSmall,
    "basic": paging.Basic,
    "410-midway": refusals.SnapshotGone,
    "401-midway": refusals.Revoked,
    "403-without-token": refusals.TokensOnly,
    "429": refusals.TooManyRequests,
    "429-seconds": refusals.TooManyRequestsSeconds,
    "429-date": refusals.TooManyRequestsDate,
    "500-bursts": refusals.ServerErrors,
    "redirect-to-other-host": refusals.OtherHost,
    "redirect-loop": refusals.Loop,
    "html-page": bodies.HtmlPage,
    "truncated": bodies.Truncated,
    "wrong-content-type": bodies.WrongContentType,
    "huge-header": bodies.HugeHeader,
    "gzip-bomb": bodies.GzipBomb,
    "no-answer": wire.NoAnswer,
    "slow-headers": wire.SlowHeaders,
    "slow-body": wire.SlowBody,
    "cut-short": wire.CutShort,
    "reset": wire.Reset,
}
