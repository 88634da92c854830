import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import Commands

/// The program as a process of its own, on less of a machine than there is.
@Suite("vap on a limited machine", .serialized)
struct MachineLimitTests {
  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")
  /// A model that makes clips of any size.
  private static let sizeless = Fixtures.path("wan-tiny/checkpoint")
  /// Without it OpenBLAS takes 136 MiB of address space for each of the machine's processors.
  private static let oneBuffer = ["OPENBLAS_NUM_THREADS": "1"]
  private let directory: TemporaryDirectory

  /// A data set of four clips of one condition.
  init() throws {
    directory = try TemporaryDirectory()
    let size = FrameSize(width: 64, height: 48)
    var rows = ["video_paths,ref_video_paths,tar_video_caption,kind,split,reference_alignment_score"]
    try FileManager.default.createDirectory(atPath: directory.file("data"), withIntermediateDirectories: true)
    for index in 0..<4 {
      let pixels = (0..<9 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * (3 + index) + $0 / 501) }
      try VideoWriter.write(
        VideoClip(size: size, frameRate: .training, pixels: pixels), to: directory.file("data/\(index).mkv"))
      rows.append("\(index).mkv,\"[\"\"\((index + 1) % 4).mkv\"\"]\",A clip \(index).,noise,train,90")
    }
    try directory.write(rows.joined(separator: "\n") + "\n", to: "data/vap_data.csv")
  }

  /// Two steps of training, with a cache of their own.
  ///
  /// - Parameter before: shell commands that run first.
  private func train(
    _ name: String, model: String = checkpoint, threads: Int? = 2, _ environment: [String: String] = [:],
    before: String = "", settings: [String] = []
  ) throws -> BuiltProgram.Outcome {
    let options =
      [
        "--model", model, "--data", directory.file("data"), "--cache", directory.file("\(name)-cache"),
        "--output", directory.file(name), "--steps", "2", "--warmup", "1", "--learning-rate", "1e-3",
      ] + (threads.map { ["--threads", "\($0)"] } ?? [])
    return try BuiltProgram.run(
      ["train"] + options + (["validation-steps=1"] + settings).flatMap { ["--set", $0] }, environment: environment,
      before: before)
  }

  /// All files of a run but those that tell times and processes.
  private func contents(_ run: String) throws -> [String: Data] {
    var found: [String: Data] = [:]
    let folder = directory.file(run)
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder)
    where !["lock", "timings.jsonl", "report.html"].contains(name) && !name.hasPrefix("events/") {
      if let data = FileManager.default.contents(atPath: "\(folder)/\(name)"), !data.isEmpty { found[name] = data }
    }
    return found
  }

  private func expectSame(_ run: String, as other: String) throws {
    let (found, expected) = (try contents(run), try contents(other))
    #expect(found.keys.sorted() == expected.keys.sorted(), "\(run)")
    for (name, data) in expected { #expect(found[name] == data, "\(run): \(name)") }
  }

  /// Losses and gradient norms of a run's steps.
  private func numbers(_ run: String) throws -> [Double] {
    let text = try String(contentsOfFile: directory.file("\(run)/log.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").flatMap { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return try ["loss", "gradient_norm"].map { try #require(object?[$0] as? Double) }
    }
  }

  // MARK: - Processors

  @Test("R06, R07, R10: on any number of threads, and whatever OpenBLAS is told, two steps leave the same bytes")
  func threads() throws {
    #expect(try train("two").status == 0)
    let told = ["OPENBLAS_NUM_THREADS": "7", "OMP_NUM_THREADS": "3", "GOTO_NUM_THREADS": "5"]
    let runs: [(name: String, outcome: BuiltProgram.Outcome)] = [
      ("told", try train("told", told)),
      ("one", try train("one", threads: 1, Self.oneBuffer)),
      // More threads than processors, and than tiles.
      ("many", try train("many", threads: 128, ["OPENBLAS_NUM_THREADS": "128"])),
      // As many threads as processors are left: one.
      ("pinned", try train("pinned", threads: nil, before: "taskset -cp 0 $$ >/dev/null; ")),
    ]
    for run in runs {
      #expect(run.outcome.status == 0, "\(run.name): \(run.outcome.errors)")
      try expectSame(run.name, as: "two")
    }
  }

  @Test("R06: processors without AVX-512, and without AVX2, train to nearly the same numbers, the same on any threads")
  func instructionSets() throws {
    #expect(try train("best").status == 0)
    let expected = try numbers("best")
    #expect(expected.count == 4)
    for (name, core) in [("AVX2", "Haswell"), ("generic", "Nehalem")] {
      let environment = ["VAP_KERNELS": name, "OPENBLAS_CORETYPE": core]
      let outcome = try train(name, environment)
      #expect(outcome.status == 0, "\(name): \(outcome.errors)")
      for (found, expected) in zip(try numbers(name), expected) {
        #expect(found.isFinite && abs(found - expected) <= 2e-3 * abs(expected), "\(name): \(found), \(expected)")
      }
      guard name == "AVX2" else { continue }
      #expect(try train("single", threads: 1, environment).status == 0)
      try expectSame("single", as: name)
    }
  }

  @Test("R07: a process that is started after products were computed here computes too, and so does this one")
  func children() throws {
    let (a, b) = (Tensor.random([300, 200], seed: 1), Tensor.random([400, 200], seed: 2))
    let expected = a.linear(b).floats()
    let child = try BuiltProgram.start(["generate", "--help"])
    #expect(a.linear(b).floats() == expected)
    #expect(try train("run").status == 0)
    child.waitUntilExit()
    #expect(child.terminationStatus == 0)
    #expect(a.linear(b).floats() == expected)
  }

  // MARK: - Memory

  @Test("R05: in an address space that is just large enough a training does what it does elsewhere")
  func enoughAddressSpace() throws {
    #expect(try train("free").status == 0)
    // In units of 1024 bytes.
    let outcome = try train("limited", Self.oneBuffer, before: "ulimit -v 1200000; ")
    #expect(outcome.status == 0, "\(outcome.errors)")
    try expectSame("limited", as: "free")
  }

  @Test("R05: a training that is too large for the address space is refused with one line before any work")
  func tooLittleAddressSpace() throws {
    for (name, settings, limit, part) in [
      ("large", ["height=480", "width=832", "frames=81"], 1_200_000, "`ulimit -v` leaves"),
      ("small", [], 900_000, "raise `ulimit -v`"),
    ] {
      let outcome = try train(
        name, model: Self.sizeless, Self.oneBuffer, before: "ulimit -v \(limit); ", settings: settings)
      #expect(outcome.status == 4, "\(outcome.errors)")
      let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("error:") }
      #expect(lines.count == 1 && lines.allSatisfy { $0.contains(part) }, "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: directory.file(name)))
    }
  }

  @Test("R05: a generation that the address space is large enough for gives the same bytes; a larger one is refused")
  func generation() throws {
    func generate(_ name: String, size: Int, before: String) throws -> BuiltProgram.Outcome {
      try BuiltProgram.run(
        [
          "generate", "--model", Self.sizeless, "--image", directory.file("data/0.mkv"), "--prompt", "noise",
          "--steps", "1", "--frames", "5", "--height", "\(size)", "--width", "\(size)", "--output",
          directory.file(name),
        ], environment: Self.oneBuffer, before: before)
    }
    let limit = "ulimit -v 1200000; "
    for (name, before) in [("free.mkv", ""), ("limited.mkv", limit)] {
      let outcome = try generate(name, size: 32, before: before)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    let frames = FileManager.default.contents(atPath: directory.file("free.mkv"))
    #expect(frames != nil && FileManager.default.contents(atPath: directory.file("limited.mkv")) == frames)
    let refused = try generate("refused.mkv", size: 4096, before: limit)
    #expect(refused.status == 4, "\(refused.errors)")
    #expect(refused.errors.split(separator: "\n").count == 1 && refused.errors.contains("`ulimit -v` leaves"))
    #expect(!FileManager.default.fileExists(atPath: directory.file("refused.mkv")))
  }
}
