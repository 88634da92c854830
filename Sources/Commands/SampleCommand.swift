import ArgumentParser
import Datasets
import Foundation
import Media
import Runtime

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Render a reference video and an image of the miniature world to try `vap generate` on.",
    discussion: """
      Writes reference.mp4 and image.png and prints captions that go with them. They say nothing of what happens: the \
      reference shows it. Subjects are of those that the embedded model was never trained on.

      Example: vap sample tryout --condition flood --seed 7
      """)

  @Argument(help: "Folder to write to; made if it does not exist.", completion: .directory)
  var directory: String

  @Option(
    help: "What happens: \(MiniatureCondition.allCases.map(\.rawValue).joined(separator: ", ")).",
    transform: { name in
      guard let condition = MiniatureCondition(rawValue: name) else {
        throw ValidationError("there is no condition '\(printable(name))'; see --help")
      }
      return condition
    })
  var condition = MiniatureCondition.gold
  @Option(help: "Seed of subjects, backgrounds and timing.") var seed: UInt64 = 42
  @Flag(help: "Replace existing files.") var overwrite = false

  func run() throws {
    try UsageFailure.checkIsNotEmpty(directory, "the folder's name")
    try Folder.make(directory)
    var options = VideoWriter.Options()
    options.overwrites = overwrite
    let stream = MiniatureStream(seed: seed)
    let (reference, target) = (
      stream.heldOutClip(scene: 0, member: 1, condition), stream.heldOutClip(scene: 0, member: 0, condition)
    )
    for (clip, frames, name) in [
      (reference, reference.render(), "reference.mp4"), (target, target.render().selecting([0]), "image.png"),
    ] {
      try VideoWriter.write(frames, to: "\(directory)/\(name)", options: options)
      print("\(directory)/\(name): \(clip.caption(isNeutral: true))")
    }
  }
}
