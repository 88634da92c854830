import ArgumentParser
import Backbones
import Datasets
import Foundation
import Runtime

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Make a small CogVideoX pipeline with fresh weights, to be trained on the miniature world.",
    discussion: """
      Writes tokenizer, text encoder, scheduler, vae and transformer in the published layout. The same options give the \
      same bytes. scripts/train-mini.sh goes on from there.

      Example: vap init --output mini-start
      """)

  @Option(name: .shortAndLong, help: "Folder to write to; made if there is none.", completion: .directory)
  var output: String

  @Option(help: "Pixels along a side, a multiple of 8.") var size = 48
  @Option(help: "Frames of a video, 8k + 1.") var frames = 17
  @Option(help: "Seed of all weights.") var seed: UInt64 = 42

  func validate() throws {
    guard size.isMultiple(of: 8), (16...512).contains(size) else {
      throw ValidationError("--size must be a multiple of 8 from 16 to 512, not \(size)")
    }
    guard frames % 8 == 1, (9...257).contains(frames) else {
      throw ValidationError("--frames must be 8k + 1 from 9 to 257, not \(frames)")
    }
  }

  func run() throws {
    try UsageFailure.checkIsNotEmpty(output, "--output")
    var pipeline = SmallPipeline()
    (pipeline.size, pipeline.frames, pipeline.seed) = (size, frames, seed)
    pipeline.words = MiniatureClip.captionWords
    try pipeline.write(to: output)
    print(output)
  }
}
