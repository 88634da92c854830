import Foundation
import Media
import Runtime
import TestSupport

@testable import Evaluation

/// A small benchmark on disk: targets, references, and finished clips of some rows.
struct SampleBenchmark {
  let directory: TemporaryDirectory
  let samples: [BenchmarkSample]

  /// - Parameter finished: rows that have a clip in the folder `videos`.
  init(rows: Int = 3, finished: [Int] = [0, 1, 2]) throws {
    directory = try TemporaryDirectory()
    let directory = directory
    samples = try (0..<rows).map { row in
      let target = directory.file("target-\(row).mkv")
      let reference = directory.file("reference-\(row).mkv")
      try VideoWriter.write(Self.clip(seed: row, frames: 5), to: target)
      try VideoWriter.write(Self.clip(seed: row + 10, frames: 9), to: reference)
      return BenchmarkSample(
        row: row, targetPath: target, targetCaption: "a horse, \(row) <b>", referencePath: reference,
        referenceCaption: "a car", condition: row == 0 ? "ghibli" : "melt", category: row == 0 ? "style" : nil)
    }
    try Folder.make(videos)
    for row in finished {
      try VideoWriter.write(Self.clip(seed: row, frames: 5, shade: 8), to: "\(videos)/sys_bench_\(row).mkv")
    }
  }

  var videos: String { directory.file("videos") }

  static func clip(seed: Int, frames: Int, width: Int = 48, height: Int = 32, shade: Int = 0) -> VideoClip {
    var pixels: [UInt8] = []
    for frame in 0..<frames {
      for place in 0..<width * height {
        let (x, y) = (place % width, place / width)
        pixels += [
          UInt8(min(255, 3 * x + 4 * frame + shade)), UInt8(min(255, 5 * y + shade)), UInt8((40 * seed + x * y) % 200),
        ]
      }
    }
    return VideoClip(size: FrameSize(width: width, height: height), frameRate: .training, pixels: pixels)
  }
}
