import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

@Suite("vap data and vap encode", .serialized)
struct DataCommandTests {
  private let directory: TemporaryDirectory
  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")

  init() throws {
    directory = try TemporaryDirectory()
    let size = FrameSize(width: 64, height: 48)
    for index in 0..<3 {
      let pixels = (0..<9 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 / 5 + index * 37) }
      try directory.write("caption \(index)", to: "set/melt/\(index).txt")
      try VideoWriter.write(
        VideoClip(size: size, frameRate: .training, pixels: pixels), to: directory.file("set/melt/\(index).mp4"))
    }
  }

  private var set: String { directory.file("set") }

  @Test("build makes a manifest that check finds whole, and does not replace it")
  func buildAndCheck() throws {
    #expect(VAPCommand.run(["data", "build", set]) == 0)
    #expect(VAPCommand.run(["data", "check", set]) == 0)
    #expect(VAPCommand.run(["data", "check", set + "/vap_data.csv", "--json", "--no-decode"]) == 0)
    #expect(VAPCommand.run(["data", "build", set]) == 3)
    #expect(VAPCommand.run(["data", "build", set, "--overwrite", "--test-share", "0.4"]) == 0)
    #expect(FileManager.default.fileExists(atPath: set + "/benchmark/benchmark.csv"))
  }

  @Test("D03: check ends with 1 if more videos are bad than allowed")
  func badVideos() throws {
    #expect(VAPCommand.run(["data", "build", set]) == 0)
    try directory.write("broken", to: "set/melt/1.mp4")
    #expect(VAPCommand.run(["data", "check", set]) == 1)
    #expect(VAPCommand.run(["data", "check", set, "--no-decode"]) == 0)
    #expect(VAPCommand.run(["data", "check", set, "--max-bad", "1"]) == 0)
    #expect(VAPCommand.run(["data", "check", set, "--max-bad", "34%"]) == 0)
  }

  @Test("misuse and bad inputs have their statuses")
  func statuses() throws {
    #expect(VAPCommand.run(["data", "check"]) == 2)
    #expect(VAPCommand.run(["data", "check", "/nonexistent"]) == 3)
    #expect(VAPCommand.run(["data", "check", set]) == 3)
    #expect(VAPCommand.run(["data", "check", set, "--max-bad", "many"]) == 2)
    #expect(VAPCommand.run(["data", "build", "/nonexistent"]) == 3)
    #expect(VAPCommand.run(["data", "build", set, "--test-share", "1"]) == 2)
    #expect(VAPCommand.run(["encode"]) == 2)
    #expect(VAPCommand.run(["encode", "--model", Self.checkpoint, "--data", set, "--cache", set + "/c"]) == 3)
  }

  @Test("a report that does not get through is told with status 4 and one line")
  func fullOutput() throws {
    #expect(VAPCommand.run(["data", "build", set]) == 0)
    for format in [["--json"], []] {
      let outcome = try BuiltProgram.run(["data", "check", set, "--no-decode"] + format, before: "exec >/dev/full; ")
      #expect(outcome.status == 4, "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count { $0.hasPrefix("error: standard output") } == 1)
    }
  }

  @Test("encode fills a cache from flags or a file, and a second run has nothing to do")
  func encode() throws {
    #expect(VAPCommand.run(["data", "build", set]) == 0)
    let cache = directory.file("cache")
    let arguments = ["encode", "--model", Self.checkpoint, "--data", set, "--cache", cache]
    #expect(VAPCommand.run(arguments) == 0)
    let files = try FileManager.default.subpathsOfDirectory(atPath: cache).filter { $0.hasSuffix(".safetensors") }
    // Three clips, three captions and the blank one.
    #expect(files.count == 7)
    let config = try directory.write(
      "model: \(Self.checkpoint)\ndata: set\ncache: cache\nlr: 1e-5\n", to: "train.yaml")
    #expect(VAPCommand.run(["encode", config]) == 0)
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: cache).filter { $0.hasSuffix(".safetensors") }.count == 7)
    #expect(VAPCommand.run(arguments + ["--frames", "10"]) == 2)
    #expect(VAPCommand.run(arguments + ["--frame-selection", "best"]) == 2)
    #expect(VAPCommand.run(arguments + ["--max-bad", "x"]) == 2)
  }
}
