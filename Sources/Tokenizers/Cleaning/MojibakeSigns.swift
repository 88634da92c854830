/// Neighbours that hardly occur in any language, but do where UTF-8 was read in another encoding: the heuristics of
/// ftfy 6.3 (Robyn Speer), rule by rule.
enum MojibakeSigns {
  /// Whether any of the signs is in a text.
  static func occur(in text: Scalars) -> Bool {
    text.indices.contains { signs.first(matching: text, at: $0) != nil }
  }

  // Kinds of characters.
  private static let common: ScalarSet = "\u{A0}\u{AD}´·–—―’…"
  private static let c1: ScalarSet = "\u{80}-\u{9F}"
  private static let bad: ScalarSet = "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\u{FFFD}"
  private static let law: ScalarSet = "§¶"
  private static let currency: ScalarSet = "¢£¥₧€"
  private static let opening: ScalarSet = "¡©«¿΄΅‘‚“„•‹\u{F8FF}"
  private static let closing: ScalarSet = "®»˝”›™"
  private static let numeric: ScalarSet = "±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"
  private static let kaomoji: ScalarSet = "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"
  private static let upperAccented: ScalarSet = "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"
  private static let lowerAccented: ScalarSet = "ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"
  private static let upperCommon: ScalarSet = "ÞΆΈΉΊΌΎΏΑ-ΫЁ-Я"
  private static let lowerCommon: ScalarSet = "ά-ωа-џ"
  private static let box: ScalarSet = "│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓"
  private static let accented = ScalarSet(lowerAccented, upperAccented)
  private static let punctuation = ScalarSet(opening, closing)
  private static let space: ScalarSet =
    "\t-\r\u{1C}-\u{1F} \u{85}\u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}"

  private static let nearBad = ScalarSet(accented, box, punctuation, currency, numeric, law)
  /// What follows the first letter of Arabic words in Windows-1252; two pairs in a row are required.
  private static let arabic = ScalarSet(common, currency, bad, numeric, opening, "ŸŠ®°µ»")
  private static let cyrillicMiddle = ScalarSet(c1, bad, punctuation, currency, "°µ")
  private static let greekMiddle = ScalarSet(c1, bad, punctuation, currency, "°")

  private static let signs: [ScalarPattern] = [
    ScalarPattern(c1),
    ScalarPattern(ScalarSet(bad, nearBad), bad),
    ScalarPattern("a-zA-Z", ScalarSet(lowerCommon, upperCommon), bad),
    ScalarPattern(bad, nearBad),
    ScalarPattern(ScalarSet(lowerAccented, lowerCommon, box, closing, currency, numeric), upperAccented),
    ScalarPattern(ScalarSet(box, closing, currency, numeric), lowerAccented),
    ScalarPattern(ScalarSet(lowerAccented, box, closing), currency),
    ScalarPattern(space, upperAccented, currency),
    ScalarPattern(ScalarSet(upperAccented, box), ScalarSet(numeric, law)),
    ScalarPattern(ScalarSet(accented, box, currency, closing), opening, numeric),
    ScalarPattern(ScalarSet(accented, currency, numeric, box, law), closing, opening),
    ScalarPattern(ScalarSet(currency, numeric, box), opening),
    ScalarPattern("a-z", upperAccented, ScalarSet(opening, currency)),
    ScalarPattern(box, kaomoji),
    ScalarPattern(ScalarSet(accented, currency, numeric, punctuation, law), box),
    ScalarPattern(box, closing),
    ScalarPattern([.among(accented), .among(punctuation), .wordCharacter]),
    // The ligature œ when no plain Latin letter follows.
    ScalarPattern("Œœ", "\u{0}-@[-`{-\u{10FFFF}"),
    // Degree signs after capital letters.
    ScalarPattern(upperAccented, "°"),
    // Pairs of Windows-1252.
    ScalarPattern("ÂÃÎÐ", ScalarSet("€œŠš¢£Ÿž\u{A0}\u{AD}®©°·»–—´", punctuation)),
    ScalarPattern("×", "²³"),
    ScalarPattern("ØÙ", arabic, "ØÙ", arabic),
    ScalarPattern("à", "²µ¹¼½¾"),
    // MacRoman.
    ScalarPattern("√", "±∂†≠®™´≤≥¥µø"),
    ScalarPattern("≈", "°¢"),
    ScalarPattern("‚", "Ä", "ìîïòôúùû†°¢π"),
    ScalarPattern("‚", "âó", "àä°ê"),
    // Windows-1251.
    ScalarPattern("в", "Ђ"),
    ScalarPattern("ВГРС", cyrillicMiddle, "ВГРС"),
    // Twice misread.
    ScalarPattern(ScalarPattern(exactly: "ГўВЂВ").places + [.any, .among("A-Za-z ")]),
    // à and á, and the no-break space itself.
    ScalarPattern("Ã", "\u{A0}¡"),
    ScalarPattern("a-z", "ÃÂ", " "),
    ScalarPattern("a-z", space, "ÃÂ", " "),
    ScalarPattern([.among("ÃÂ"), .among(" ")], isAtStart: true),
    ScalarPattern(ScalarSet("a-z.,?!", closing), "Â", ScalarSet(" ", punctuation)),
    // Windows-1253.
    ScalarPattern("β", "€", "™\u{A0}Ά\u{AD}®°"),
    ScalarPattern("ΒΓΞΟ", greekMiddle, "ΒΓΞΟ"),
    // Windows-1257.
    ScalarPattern("ā", "€"),
  ]
}
