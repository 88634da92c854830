/// An encoding in which a byte stands for a character, and the lower half of bytes for ASCII.
struct SingleByteEncoding: Sendable {
  /// What bytes from 128 on stand for; bytes that stand for nothing are taken for the control character of their number,
  /// as web browsers do.
  let upperHalf: Scalars
  /// Whether byte 26 stands for the replacement character, as it is put for what an encoding lacks.
  let hasReplacement: Bool
  private let bytes: [Unicode.Scalar: UInt8]

  private init(_ upperHalf: String, hasReplacement: Bool) {
    let scalars = Scalars(upperHalf.unicodeScalars)
    precondition(scalars.count == 128, "an encoding of \(scalars.count) upper characters")
    self.upperHalf = scalars
    self.hasReplacement = hasReplacement
    var bytes = Dictionary(
      scalars.enumerated().map { ($1, UInt8(128 + $0)) }, uniquingKeysWith: { first, _ in first })
    for byte in UInt8(0)..<128 { bytes[Unicode.Scalar(byte)] = byte }
    if hasReplacement {
      bytes["\u{1A}"] = nil
      bytes["\u{FFFD}"] = 0x1A
    }
    self.bytes = bytes
  }

  /// The bytes of a text, or nil if it holds a character that the encoding lacks.
  func encoded(_ text: Scalars) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in text {
      guard let byte = bytes[scalar] else { return nil }
      result.append(byte)
    }
    return result
  }
}

extension SingleByteEncoding {
  static let latin1 = SingleByteEncoding(
    String(String.UnicodeScalarView((UInt8(128)...255).map { Unicode.Scalar($0) })), hasReplacement: false)

  static let windows1252 = SingleByteEncoding(
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ\u{A0}¡¢£¤¥¦§¨©ª«¬\u{AD}®¯°±²³´µ¶·¸¹º»¼½¾¿"
      + "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ", hasReplacement: true)

  private static let windows1251 = SingleByteEncoding(
    "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\u{A0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{AD}®Ї°±Ііґµ¶·ё№є»јЅѕї"
      + "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя", hasReplacement: true)

  private static let windows1250 = SingleByteEncoding(
    "€\u{81}‚\u{83}„…†‡\u{88}‰Š‹ŚŤŽŹ\u{90}‘’“”•–—\u{98}™š›śťžź\u{A0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{AD}®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż"
      + "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙", hasReplacement: true)

  private static let windows1253 = SingleByteEncoding(
    "€\u{81}‚ƒ„…†‡\u{88}‰\u{8A}‹\u{8C}\u{8D}\u{8E}\u{8F}\u{90}‘’“”•–—\u{98}™\u{9A}›\u{9C}\u{9D}\u{9E}\u{9F}"
      + "\u{A0}΅Ά£¤¥¦§¨©ª«¬\u{AD}®―°±²³΄µ¶·ΈΉΊ»Ό½ΎΏ"
      + "ΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫάέήίΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώÿ", hasReplacement: true)

  private static let windows1254 = SingleByteEncoding(
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}\u{8E}\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}\u{9E}Ÿ\u{A0}¡¢£¤¥¦§¨©ª«¬\u{AD}®¯°±²³´µ¶·¸¹º»¼½¾¿"
      + "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞßàáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ", hasReplacement: true)

  private static let windows1257 = SingleByteEncoding(
    "€\u{81}‚\u{83}„…†‡\u{88}‰\u{8A}‹\u{8C}¨ˇ¸\u{90}‘’“”•–—\u{98}™\u{9A}›\u{9C}¯˛\u{9F}\u{A0}¡¢£¤¥¦§Ø©Ŗ«¬\u{AD}®Æ"
      + "°±²³´µ¶·ø¹ŗ»¼½¾æ"
      + "ĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž˙", hasReplacement: true)

  private static let latin2 = SingleByteEncoding(
    String(String.UnicodeScalarView((UInt8(128)...159).map { Unicode.Scalar($0) }))
      + "\u{A0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{AD}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žż"
      + "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙", hasReplacement: false)

  static let macRoman = SingleByteEncoding(
    "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø"
      + "¿¡¬√ƒ≈∆«»…\u{A0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{F8FF}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ", hasReplacement: false)

  private static let cp437 = SingleByteEncoding(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
      + "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}", hasReplacement: false)

  /// Encodings in which UTF-8 is misread, in the order in which they are tried.
  static let misreadings: [(encoding: SingleByteEncoding, isMacRoman: Bool)] = [
    (latin1, false), (windows1252, false), (windows1251, false), (windows1250, false), (windows1253, false),
    (windows1254, false), (windows1257, false), (latin2, false), (macRoman, true), (cp437, false),
  ]
}
