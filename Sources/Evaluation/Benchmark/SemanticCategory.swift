/// The categories of semantic conditions in VAP-Data, for breakdowns; a table names only the conditions.
///
/// The number of conditions in each category is the paper's (Table 6). Of the names, 75 were compared with the identifiers
/// that Vidu and Kling publish for the effects that the data set was made with; the others, which stem from community
/// models, and the division into categories could not be compared with a published table. A condition that is missing here
/// only stays without a category.
package enum SemanticCategory: String, CaseIterable, Sendable {
  case transformation = "entity transformation"
  case interaction = "entity interaction"
  case style
  case humanMotion = "human motion"
  case otherMotion = "non-human motion"
  case camera

  /// The category of a condition; nil for one that the paper does not list.
  package init?(condition: String) {
    let name = Self.normalized(condition)
    guard let category = Self.allCases.first(where: { $0.conditions.contains(name) }) else { return nil }
    self = category
  }

  /// Lower case, with one underscore between words, however a table writes it.
  package static func normalized(_ condition: String) -> String {
    let name = condition.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "_")
    return identifiers[name] ?? name
  }

  /// Identifiers of effects in Vidu's interface that differ from the names here.
  private static let identifiers = [
    "bjd_style": "bjd", "jojo_style": "jojo", "jump2pool": "jump_to_pool", "pet2human": "pet_to_human",
  ]

  /// Conditions of the category (the paper's Table 6).
  var conditions: Set<String> {
    switch self {
    case .transformation:
      [
        "captain_america", "cartoon_doll", "eat_mushrooms", "fairy_me", "fishermen", "fuzzyfuzzy", "gender_swap",
        "get_thinner", "hair_color_change", "hair_swap", "ladudu_me", "mecha_x", "minecraft", "monalisa", "muscling",
        "pet_to_human", "sexy_me", "squid_game", "style_me", "super_saiyan", "toy_me", "venom", "vip", "zen",
      ]
    case .interaction:
      [
        "aliens_coming", "child_memory", "christmas", "cloning", "couple_arrival", "couple_drop", "couple_walk",
        "covered_liquid_metal", "drive_yacht", "emoji_figure", "gun_shooting", "jump_to_pool", "love_drop", "nap_me",
        "punch_hit", "selfie_with_younger_self", "slice_therapy", "soul_depart", "watermelon_hit", "zongzi_drop",
        "zongzi_wrap",
      ]
    case .style:
      [
        "american_comic", "bjd", "bloom_magic", "bloombloom", "clayshot", "ghibli", "irasutoya", "jojo", "painting",
        "sakura_season", "simpsons_comic",
      ]
    case .humanMotion:
      [
        "break_glass", "crying", "cute_bangs", "emotionlab", "flying", "hip_twist", "laughing", "live_memory",
        "live_photo", "pet_belly_dance", "pet_finger", "shake_it_dance", "shake_it_down", "split_stance_human",
        "split_stance_pet", "walk_forward",
      ]
    case .otherMotion:
      [
        "auto_spin", "balloon_flyaway", "crush", "decapitate", "dizzydizzy", "expansion", "explode", "grow_wings",
        "head_to_balloon", "paperman", "paper_fall", "petal_scattered", "pinch", "rotate", "spin360", "squish",
      ]
    case .camera:
      [
        "dolly_effect", "earth_zoom_out", "hero_cam", "orbit", "orbit_dolly", "orbit_dolly_fast", "zoom_in",
        "zoom_in_fast", "zoom_out", "zoom_out_fast", "move_up", "move_down",
      ]
    }
  }
}
