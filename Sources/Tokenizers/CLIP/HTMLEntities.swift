/// Character references of HTML, `&amp;` or `&#38;`, as browsers and Python read them.
///
/// Of the names those of HTML 4 and `apos` are known. The newer ones, two thousand mathematical signs, stay as written.
enum HTMLEntities {
  /// Replaces references until none is left at this level; text in which they are doubly escaped needs another pass.
  ///
  /// - Parameter requiresEnd: that a reference needs its semicolon but may be in capitals, as the ftfy library has it;
  ///   else the names of Latin-1 characters do without one, even as the beginning of a longer word.
  static func unescaped(_ text: String, requiresEnd: Bool = false) -> String {
    guard text.contains("&") else { return text }
    var result = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    while let scalar = rest.first {
      if scalar == "&", let (replacement, length) = reference(at: rest, requiresEnd: requiresEnd) {
        result.append(contentsOf: replacement)
        rest = rest.dropFirst(length)
      } else {
        result.append(scalar)
        rest = rest.dropFirst()
      }
    }
    return String(result)
  }

  /// The text for a reference at the start of `text`, and the number of characters it stands for.
  private static func reference(
    at text: Substring.UnicodeScalarView, requiresEnd: Bool
  ) -> ([Unicode.Scalar], Int)? {
    var body = text.dropFirst()
    if body.first == "#" {
      body = body.dropFirst()
      let isHexadecimal = body.first == "x" || body.first == "X"
      if isHexadecimal { body = body.dropFirst() }
      let digits = body.prefix {
        $0.isASCII && (isHexadecimal ? $0.properties.isASCIIHexDigit : ("0"..."9").contains($0))
      }
      let isClosed = body.dropFirst(digits.count).first == ";"
      guard !digits.isEmpty, isClosed || !requiresEnd else { return nil }
      let length = 2 + (isHexadecimal ? 1 : 0) + digits.count + (isClosed ? 1 : 0)
      return (characters(numbered: UInt32(String(digits), radix: isHexadecimal ? 16 : 10)), length)
    }
    let name = body.prefix(32).prefix { !"\t\n\u{C} <&#;".unicodeScalars.contains($0) }
    let word = String(name)
    if body.dropFirst(name.count).first == ";", let scalar = names[word] { return ([scalar], name.count + 2) }
    guard !requiresEnd else {
      // Whole texts are put in capitals at times, references included.
      guard body.dropFirst(name.count).first == ";", word.allSatisfy({ $0.isUppercase || $0.isNumber }),
        let scalar = names[word.lowercased()]
      else { return nil }
      return (Array(scalar.properties.uppercaseMapping.unicodeScalars), name.count + 2)
    }
    for length in stride(from: name.count, through: 2, by: -1) {
      let start = String(name.prefix(length))
      if let scalar = names[start], namesWithoutEnd.contains(start) { return ([scalar], 1 + length) }
    }
    return nil
  }

  /// The characters for a number: none for control characters, the replacement character for impossible numbers.
  private static func characters(numbered number: UInt32?) -> [Unicode.Scalar] {
    guard let number, number > 0, let scalar = Unicode.Scalar(number) else { return ["\u{FFFD}"] }
    switch number {
    case 0x0D: return ["\r"]
    case 0x80...0x9F: return [windows1252[Int(number - 0x80)]]
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: return []
    default: return number & 0xFFFE == 0xFFFE ? [] : [scalar]
    }
  }

  /// What bytes 80 to 9F mean on Windows, where such references come from.
  static let windows1252: [Unicode.Scalar] = """
    20AC 81 201A 192 201E 2026 2020 2021 2C6 2030 160 2039 152 8D 17D 8F 90 2018 2019 201C 201D 2022 2013 2014 2DC 2122 161 203A 153 9D 17E 178
    """.split(separator: " ").compactMap { UInt32($0, radix: 16).flatMap(Unicode.Scalar.init) }

  /// Names of the characters A0 to FF, in order.
  private static let latin = """
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute
    micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig
    Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash
    Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute
    ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc
    uuml yacute thorn yuml
    """.split { $0.isWhitespace }.map(String.init)

  private static let others = """
    quot=22 amp=26 lt=3C gt=3E OElig=152 oelig=153 Scaron=160 scaron=161 Yuml=178 fnof=192 circ=2C6 tilde=2DC
    Alpha=391 Beta=392 Gamma=393 Delta=394 Epsilon=395 Zeta=396 Eta=397 Theta=398 Iota=399 Kappa=39A Lambda=39B
    Mu=39C Nu=39D Xi=39E Omicron=39F Pi=3A0 Rho=3A1 Sigma=3A3 Tau=3A4 Upsilon=3A5 Phi=3A6 Chi=3A7 Psi=3A8 Omega=3A9
    alpha=3B1 beta=3B2 gamma=3B3 delta=3B4 epsilon=3B5 zeta=3B6 eta=3B7 theta=3B8 iota=3B9 kappa=3BA lambda=3BB
    mu=3BC nu=3BD xi=3BE omicron=3BF pi=3C0 rho=3C1 sigmaf=3C2 sigma=3C3 tau=3C4 upsilon=3C5 phi=3C6 chi=3C7 psi=3C8
    omega=3C9 thetasym=3D1 upsih=3D2 piv=3D6 ensp=2002 emsp=2003 thinsp=2009 zwnj=200C zwj=200D lrm=200E rlm=200F
    ndash=2013 mdash=2014 lsquo=2018 rsquo=2019 sbquo=201A ldquo=201C rdquo=201D bdquo=201E dagger=2020 Dagger=2021
    bull=2022 hellip=2026 permil=2030 prime=2032 Prime=2033 lsaquo=2039 rsaquo=203A oline=203E frasl=2044 euro=20AC
    image=2111 weierp=2118 real=211C trade=2122 alefsym=2135 larr=2190 uarr=2191 rarr=2192 darr=2193 harr=2194
    crarr=21B5 lArr=21D0 uArr=21D1 rArr=21D2 dArr=21D3 hArr=21D4 forall=2200 part=2202 exist=2203 empty=2205
    nabla=2207 isin=2208 notin=2209 ni=220B prod=220F sum=2211 minus=2212 lowast=2217 radic=221A prop=221D infin=221E
    ang=2220 and=2227 or=2228 cap=2229 cup=222A int=222B there4=2234 sim=223C cong=2245 asymp=2248 ne=2260 equiv=2261
    le=2264 ge=2265 sub=2282 sup=2283 nsub=2284 sube=2286 supe=2287 oplus=2295 otimes=2297 perp=22A5 sdot=22C5
    lceil=2308 rceil=2309 lfloor=230A rfloor=230B lang=2329 rang=232A loz=25CA spades=2660 clubs=2663 hearts=2665
    diams=2666 apos=27
    """.split { $0.isWhitespace }.map(String.init)

  private static let names: [String: Unicode.Scalar] = {
    var result: [String: Unicode.Scalar] = [:]
    for (offset, name) in latin.enumerated() { result[name] = Unicode.Scalar(UInt8(0xA0 + offset)) }
    for entry in others {
      let parts = entry.split(separator: "=")
      result[String(parts[0])] = UInt32(parts[1], radix: 16).flatMap(Unicode.Scalar.init)
    }
    for name in capitals { result[name] = result[name.lowercased()] }
    return result
  }()

  private static let capitals = ["AMP", "LT", "GT", "QUOT", "COPY", "REG"]
  private static let namesWithoutEnd = Set(latin + capitals + ["amp", "lt", "gt", "quot"])
}
