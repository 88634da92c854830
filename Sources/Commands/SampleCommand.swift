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
      Writes reference.mp4 and image.png, and prints captions that go with them and the command that makes a video of them. \
      Captions say nothing of what happens: the reference shows it. Subjects are of those that the embedded model was never \
      trained on.

      Example: vap sample tryout --condition flood --seed 7
      """)

  @Argument(help: "Folder to write to; made if it does not exist.", completion: .directory)
  var directory: String

  @Option(
    help: "What happens: \(Self.conditions).",
    transform: { name in
      guard let condition = MiniatureCondition(rawValue: name.lowercased().replacing(" ", with: "_")) else {
        throw ValidationError("there is no condition '\(printable(name))', but \(Self.conditions)")
      }
      return condition
    })
  var condition = MiniatureCondition.halo
  @Option(help: "Seed of subjects, backgrounds and timing.") var seed: UInt64 = 42
  @Flag(help: "Replace existing files.") var overwrite = false

  private static let conditions = MiniatureCondition.allCases.map(\.rawValue).joined(separator: ", ")

  func run() throws {
    try UsageFailure.checkIsNotEmpty(directory, "the folder's name")
    try Folder.make(directory)
    var options = VideoWriter.Options()
    options.overwrites = overwrite
    let stream = MiniatureStream(seed: seed)
    let (reference, target) = (
      stream.heldOutClip(scene: 0, member: 1, condition), stream.heldOutClip(scene: 0, member: 0, condition)
    )
    let (video, image) = ("\(directory)/reference.mp4", "\(directory)/image.png")
    let captions = [reference, target].map { $0.caption(isNeutral: true) }
    try VideoWriter.write(reference.render(), to: video, options: options)
    try VideoWriter.write(target.render().selecting([0]), to: image, options: options)
    print("\(video): \(captions[0]) \(reference.caption(isNeutral: false).dropFirst(captions[0].count + 1))")
    print("\(image): \(captions[1])")
    let words = [
      "vap", "generate", "--ref-video", video, "--ref-prompt", captions[0], "--image", image, "--prompt", captions[1],
      "--output", "\(directory)/out.mp4", "--side-by-side",
    ]
    print(words.map(Self.quoted).joined(separator: " "))
  }

  /// A word as a shell takes it.
  private static func quoted(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-./".contains($0)) }
    return isPlain ? word : "'\(word.replacing("'", with: "'\\''"))'"
  }
}
