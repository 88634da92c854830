/// Kinds of content that is refused by default, because it does harm whoever asks for it.
///
/// The lists are short on purpose: they catch what is plainly meant, and leave alone what visual effects need (a paper
/// figure that explodes, a head that turns into a balloon). They are no protection against someone who tries to get
/// round them.
package enum HarmfulCategory: String, CaseIterable, Sendable {
  case minors = "sexual content that involves minors"
  case sexualViolence = "sexual violence, or sexual images of people without their consent"
  case explicitSex = "sexually explicit content"
  case cruelty = "graphic cruelty"
  case hate = "hate and glorification of atrocities"
  case selfHarm = "self-harm"
  case terror = "terrorism and mass violence"

  /// Phrases of whole words, each of which is enough. A star stands for any ending.
  var phrases: [String] {
    switch self {
    case .minors: ["csam", "lolicon", "shotacon", "pedophil*", "paedophil*", "jailbait"]
    case .sexualViolence:
      [
        "rape", "raped", "rapes", "raping", "rapist*", "gang rape", "sexual assault*", "sexually assault*", "molest*",
        "bestiality", "zoophil*", "revenge porn", "deepnude*", "deepfake porn*", "deepfake nude*", "undress her",
        "undress him", "undress them", "upskirt*", "necrophil*",
      ]
    case .explicitSex:
      [
        "porn", "porno*", "pornograph*", "hentai", "blowjob*", "handjob*", "masturbat*", "sexual intercourse",
        "having sex", "have sex", "oral sex", "anal sex", "cumshot*", "gangbang*", "orgasm*", "genitals", "genitalia",
        "explicit nudity", "xxx video", "sex tape", "sex scene*",
      ]
    case .cruelty:
      [
        "snuff film*", "snuff video*", "disembowel*", "torture porn", "tortured to death", "torturing a person",
        "torturing an animal", "torturing animals", "animal cruelty", "mutilated corpse*", "mutilated bod*",
        "skinned alive", "beheading video*", "execution video*",
      ]
    case .hate:
      [
        "heil hitler", "white power", "white supremac*", "nazi propaganda", "nazi salute", "hitler salute",
        "ethnic cleansing", "gas chamber*", "lynching*", "kkk rally", "ku klux klan rally", "race war",
        "holocaust denial",
      ]
    case .selfHarm:
      [
        "suicide", "kill myself", "killing myself", "kills herself", "kills himself", "hangs herself", "hangs himself",
        "self harm*", "slit her wrists", "slit his wrists", "slitting wrists", "cutting her wrists",
        "cutting his wrists",
      ]
    case .terror:
      [
        "terrorist attack*", "suicide bomb*", "pipe bomb*", "build a bomb", "bomb making", "mass shooting*",
        "school shooting*", "isis propaganda", "isis flag", "beheading a hostage",
      ]
    }
  }

  /// Two lists of which one word each must occur, anywhere in the text.
  var pairs: (first: [String], second: [String])? {
    guard self == .minors else { return nil }
    return (
      [
        "child", "children", "kid", "kids", "minor", "minors", "toddler*", "infant*", "underage", "preteen*", "teen",
        "teens", "teenage*", "schoolgirl*", "schoolboy*", "loli", "shota", "little girl*", "little boy*",
        "young girl*", "young boy*",
      ],
      [
        "nude*", "naked", "nudity", "sex", "sexual*", "sexy", "erotic*", "porn*", "topless", "lingerie", "orgasm*",
        "seductive*", "fetish*",
      ]
    )
  }

  /// Phrases that hold one of the others without meaning it.
  static let harmless = ["suicide squad", "suicide doors", "suicide door", "child proof", "suicide prevention"]
}
