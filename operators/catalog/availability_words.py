"""Words for "can be ordered" and "cannot", without spaces and punctuation, case-folded."""

from __future__ import annotations

_YES = (
    "true yes y 1 on available active published visible enabled instock limitedavailability"
    " limitedstock lowstock fewleft lastpieces onlineonly preorder preordering presale backorder"
    " backordered onbackorder madetoorder availablefororder orderable ja oui si sì"
    " enstock disponible vorrätig auflager lieferbar verfügbar sofortlieferbar disponibile"
    " disponible enexistencias 在庫あり 在庫有り 在庫有 残りわずか 予約 予約受付中 予約販売"
    " 有货 有貨 재고있음 вналичии естьвналичии"
)
_NO = (
    "false no n 0 off nein non unavailable notavailable inactive unpublished draft archived hidden"
    " outofstock soldout nostock notinstock discontinued reserved instoreonly comingsoon disabled"
    " temporarilyoutofstock currentlyunavailable temporarilyunavailable notavailableforpurchase"
    " rupture enrupture rupturedestock enrupturedestock épuisé epuisé epuise indisponible"
    " nondisponible ausverkauft nichtauflager nichtvorrätig nichtlieferbar nichtverfügbar "
    "vergriffen esaurito nondisponibile agotado sinexistencias nodisponible"
    " 在庫なし 在庫切れ 品切れ 売り切れ 売切れ 完売 販売終了 在庫無し 在庫無 缺货 缺貨 售罄"
    " 품절 재고없음 нетвналичии"
)

AVAILABILITY: dict[str, bool] = {
    word.casefold(): known
    for known, words in ((True, _YES), (False, _NO))
    for word in words.split()
}
"""English, with Google's and Schema.org's values, French, German, Italian, Spanish, Japanese,
Chinese, Korean, Russian."""
