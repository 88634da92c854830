import Compute

/// Clips of the miniature world that training draws without end, rather than from a folder of videos.
///
/// They come in pairs that share condition, speed and onset: one shows what the other is to do. A clip depends on the seed
/// and its numbers alone.
package struct MiniatureStream: Sendable, Equatable {
  package let seed: UInt64

  package init(seed: UInt64) { self.seed = seed }

  /// A pair's number is its round times the number of conditions, plus the place of its condition among them.
  package static var conditionCount: Int { MiniatureCondition.trained.count }

  private static let trained = MiniatureSubject.all.filter { !$0.isHeldOut }
  private static let heldOut = MiniatureSubject.all.filter(\.isHeldOut)

  /// One of the two clips of a pair, of a subject that training may show.
  package func clip(pair: Int, member: Int) -> MiniatureClip {
    let timing = Self.timing(RandomGenerator(seed: seed, name: "timing of pair \(pair)"))
    return clip(
      of: Self.trained, MiniatureCondition.trained[pair % Self.conditionCount], timing, name: "clip \(pair) \(member)")
  }

  /// A scene of a subject that training never shows, under any condition; scenes with the same number and member differ in
  /// the condition alone.
  ///
  /// - Parameter member: 0 for targets and 1 for their references, which have the same timing.
  package func heldOutClip(scene: Int, member: Int, _ condition: MiniatureCondition) -> MiniatureClip {
    let timing = Self.timing(RandomGenerator(seed: seed, name: "timing of held-out scene \(scene)"))
    let name = member == 0 ? "held-out scene \(scene)" : "held-out reference \(scene) \(condition.rawValue)"
    return clip(of: Self.heldOut, condition, timing, name: name)
  }

  private static func timing(_ generator: RandomGenerator) -> MiniatureTiming {
    var generator = generator
    return MiniatureTiming(
      speed: 0.6 + 0.8 * Float(generator.drawUniform()), onset: 0.3 * Float(generator.drawUniform()))
  }

  private func clip(
    of subjects: [MiniatureSubject], _ condition: MiniatureCondition, _ timing: MiniatureTiming, name: String
  ) -> MiniatureClip {
    var generator = RandomGenerator(seed: seed, name: name)
    let subject = subjects[generator.drawIndex(below: subjects.count)]
    return MiniatureClip(
      seed: UInt64(generator.drawIndex(below: 1 << 52)), subject: subject, condition: condition, timing: timing)
  }
}

extension MiniatureStream {
  /// Which clips a sample shows.
  package struct Place: Sendable, Hashable {
    package let pair: Int
    /// Of the target; the other one is its reference.
    package let member: Int
    /// A uniform number for decisions about the sample, such as its caption's.
    package let draw: Double
  }

  /// How often clips come again, so that what was made of one serves for several samples.
  package struct Reuse: Sendable, Equatable {
    /// Rounds that samples are drawn from at a time; a round has a pair of each condition.
    package var rounds = 64
    /// Samples of a pair, in the mean, before it leaves.
    package var uses = 8
    /// How many pairs there are, as in a data set of that size: a multiple of the number of conditions. All of them come
    /// again and again, so `rounds` and `uses` say nothing then. nil for pairs without end.
    package var pairs: Int?

    package init() {}
  }

  /// The place of a sample: each run of samples as long as the conditions shows every one of them.
  package func place(of sample: Int, _ reuse: Reuse) -> Place {
    let count = Self.conditionCount
    let order = KeyedPermutation(count: count, seed: seed, stream: UInt64(sample / count) | 6 << 48)
    var generator = RandomGenerator(seed: seed, name: "sample \(sample)")
    let rounds = reuse.pairs.map { max(1, $0 / count) } ?? reuse.rounds
    let round = oldestRound(of: sample, reuse) + generator.drawIndex(below: rounds)
    return Place(
      pair: round * count + order[sample % count], member: generator.drawIndex(below: 2),
      draw: generator.drawUniform())
  }

  /// The first round that this and later samples are drawn from.
  package func oldestRound(of sample: Int, _ reuse: Reuse) -> Int {
    reuse.pairs == nil ? sample / (Self.conditionCount * reuse.uses) : 0
  }
}

extension MiniatureClip {
  /// Every word of every caption, sorted, without stops.
  package static var captionWords: [String] {
    let timings = [0.7, 1, 1.3].map { MiniatureTiming(speed: $0, onset: 0) }
    let captions = MiniatureSubject.all.flatMap { subject in
      MiniatureCondition.allCases.flatMap { condition in
        timings.map { timing in
          MiniatureClip(seed: 0, subject: subject, condition: condition, timing: timing).caption(isNeutral: false)
        }
      }
    }
    return Set(captions.joined(separator: " ").split { $0 == " " || $0 == "." }.map(String.init)).sorted()
  }
}
