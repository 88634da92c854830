import ArgumentParser
import Datasets
import Foundation
import Media
import Runtime

struct DataSynthesizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "synthesize",
    abstract: "Render VAP-Mini: a small world of subjects under 24 conditions, as a data set.",
    discussion: """
      Writes videos, vap_data.csv, and benchmark/benchmark.csv with 48 rows whose subjects training never shows and whose \
      captions tell no condition; benchmark/wrong_references.csv shows the same images references of other conditions, \
      benchmark/zero_shot.csv holds four more conditions that are never trained on, and truth.csv what each video was \
      rendered from. With more --benchmark-scenes the first 48 rows stay. The same options give the same data set; an interrupted run goes on \
      where it stopped.

      Example: vap data synthesize --out vap-mini --videos 4800 --sheet
      """)

  @Option(name: .long, help: "Folder to write to; made if there is none.", completion: .directory)
  var out: String

  @Option(help: "Videos to train on, spread evenly over the conditions.") var videos = 960
  @Option(help: "Seed of everything.") var seed: UInt64 = 42
  @Option(help: "Pixels along a side, a multiple of 8.") var size = 48
  @Option(help: "Frames of a video, 8k + 1.") var frames = 17
  @Option(help: "Frames per second.") var fps = 8
  @Option(
    name: .customLong("group"), help: "Videos that share condition, speed and onset, and are each other's references.")
  var groupSize = 4
  @Option(help: "Rows of the benchmark for each condition, at least 2.") var benchmarkScenes = 2
  @Option(help: "Share of the training captions that name the condition and its speed, 0 to 1.") var captionShare = 0.5
  @Option(help: "Quality of the videos: 0 (lossless) to 51.") var crf = 12
  @Flag(help: "Also draw all conditions into sheet.png.") var sheet = false

  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    guard (1...240).contains(fps) else { throw ValidationError("--fps must be 1...240, not \(fps)") }
    guard (0...51).contains(crf) else { throw ValidationError("--crf must be 0...51, not \(crf)") }
  }

  func run() throws {
    try UsageFailure.checkIsNotEmpty(out, "--out")
    compute.apply()
    var options = MiniatureDataset.Options()
    options.videos = videos
    options.seed = seed
    options.format.size = size
    options.format.frames = frames
    options.format.frameRate = fps
    options.groupSize = groupSize
    options.scenes = benchmarkScenes
    options.captionShare = captionShare
    options.quality = crf
    let printer = ProgressPrinter()
    defer { printer.finish() }
    let dataset = try MiniatureDataset(options) { printer.show($0) }
    try dataset.write(to: out) { printer.show($0) }
    printer.finish()
    if sheet, let picture = MiniatureSheet.picture(seed: seed, options.format) {
      try ImageWriter.writePNG(picture, to: "\(out)/sheet.png", overwrites: true)
    }
    print("\(out)/\(Manifest.fileName)")
    print("\(dataset.items.count) videos, \(dataset.benchmark.count) rows of benchmark")
  }
}
