import Datasets

/// What the demonstration shows: what the paper's Section B does with references, in the miniature world, with subjects that
/// no training shows.
struct DemoPlan: Sendable {
  struct Item: Sendable {
    /// Of its files, too.
    let name: String
    let title: String
    let reference: MiniatureClip
    /// The right answer; its first frame is the image.
    let target: MiniatureClip
    let caption: String
  }

  struct Section: Sendable {
    let title: String
    let text: String
    let items: [Item]
  }

  let sections: [Section]

  init() {
    sections = [
      Self.differentReferences, Self.oneSemantic, Self.manyImages, Self.speeds, Self.prompts, Self.neverTrained,
    ]
  }

  // MARK: - Sections

  private static var differentReferences: Section {
    let conditions: [MiniatureCondition] = [
      .zoomOut, .panLeft, .slide, .shrink, .thermal, .night, .flood, .gold,
    ]
    return Section(
      title: "Different references, one image",
      text: "The same image and caption. What happens is decided by the reference alone.",
      items: conditions.enumerated().map { place, condition in
        item("reference-\(condition.rawValue)", condition, image: 1, reference: 10 + place)
      })
  }

  private static var oneSemantic: Section {
    Section(
      title: "The same semantic, different references",
      text: "References with other subjects and backgrounds that show the same thing: the result should not change.",
      items: (0..<4).map { item("semantic-\($0 + 1)", .spotlight, image: 2, reference: 20 + $0) })
  }

  private static var manyImages: Section {
    Section(
      title: "One reference, many images",
      text: "One reference is enough to have the same happen to any subject.",
      items: (0..<4).map { item("image-\($0 + 1)", .halo, image: 30 + $0, reference: 3) })
  }

  private static var speeds: Section {
    let timings: [(String, MiniatureTiming)] = [
      ("slowly", MiniatureTiming(speed: 0.65, onset: 0.05)), ("quickly", MiniatureTiming(speed: 1.35, onset: 0.05)),
      ("late", MiniatureTiming(speed: 1.1, onset: 0.3)),
    ]
    return Section(
      title: "The reference also says how",
      text: "The captions name no speed; it is taken from the reference.",
      items: timings.map { item("speed-\($0)", .flames, image: 4, reference: 5, timing: $1, title: "flames, \($0)") })
  }

  private static var prompts: Section {
    let target = clip(.flood, scene: 6)
    let captions = ["slowly", "quickly"].map { word in
      (word, "\(target.caption(isNeutral: true)) Water floods \(word).")
    }
    return Section(
      title: "One word of the prompt changed",
      text:
        "Reference and image stay; the caption names the condition and one of two speeds. The expert was trained on "
        + "captions that say nothing: the reference decides, and the word changes next to nothing.",
      items: captions.map { word, caption in
        item("prompt-\(word)", .flood, image: 6, reference: 7, title: "flood, \(word)", caption: caption)
      })
  }

  private static var neverTrained: Section {
    Section(
      title: "Conditions that were never trained",
      text:
        "Neither backbone nor expert ever saw these. A small model of 24 conditions transfers to few others, and takes "
        + "the rest for something that it knows.",
      items: MiniatureCondition.zeroShot.enumerated().map { place, condition in
        item("zero-shot-\(condition.rawValue)", condition, image: 40 + place, reference: 50 + place)
      })
  }

  // MARK: - Clips

  private static let stream = MiniatureStream(seed: 2510)
  private static let usualTiming = MiniatureTiming(speed: 1.2, onset: 0.1)

  /// A subject that training never shows, in surroundings of its own, both decided by the scene.
  private static func clip(
    _ condition: MiniatureCondition, scene: Int, timing: MiniatureTiming = usualTiming
  ) -> MiniatureClip {
    let drawn = stream.heldOutClip(scene: scene, member: 0, condition)
    return MiniatureClip(seed: drawn.seed, subject: drawn.subject, condition: condition, timing: timing)
  }

  private static func item(
    _ name: String, _ condition: MiniatureCondition, image: Int, reference: Int,
    timing: MiniatureTiming = usualTiming, title: String? = nil, caption: String? = nil
  ) -> Item {
    let target = clip(condition, scene: image, timing: timing)
    return Item(
      name: name, title: title ?? condition.rawValue.replacing("_", with: " "),
      reference: clip(condition, scene: reference, timing: timing), target: target,
      caption: caption ?? target.caption(isNeutral: true))
  }
}
