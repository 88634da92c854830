import Datasets
import Evaluation
import Foundation
import Media
import TestSupport
import Testing

@testable import Commands

@Suite("vap eval", .serialized)
struct EvalCommandTests {
  private let directory: TemporaryDirectory

  /// A data folder with a table of two rows, and a folder of finished clips of both.
  init() throws {
    directory = try TemporaryDirectory()
    var table = "ref_video_caption,video_paths,ref_video_path,tar_video_caption,kind\r\n"
    for row in 0..<2 {
      try directory.write("", to: "data/videos/.keep")
      try directory.write("", to: "done/.keep")
      try VideoWriter.write(Self.clip(row), to: directory.file("data/videos/target-\(row).mkv"))
      try VideoWriter.write(Self.clip(row + 5), to: directory.file("data/videos/ref-\(row).mkv"))
      try VideoWriter.write(Self.clip(row, shade: 9), to: directory.file("done/out_\(row).mkv"))
      table += "a,videos/target-\(row).mkv,videos/ref-\(row).mkv,\"a \"\"horse\"\",\nnumber \(row)\",ghibli\r\n"
    }
    try directory.write(table, to: "data/benchmark/benchmark.csv")
  }

  private static func clip(_ seed: Int, shade: Int = 0) -> VideoClip {
    let pixels = (0..<48 * 32 * 3 * 5).map { UInt8(($0 * (seed + 3) / 7 + shade) % 251) }
    return VideoClip(size: FrameSize(width: 48, height: 32), frameRate: .training, pixels: pixels)
  }

  private func run(_ options: String...) -> Int32 { run(options) }

  private func run(_ options: [String], out: String = "out") -> Int32 {
    VAPCommand.run(arguments(options, out: out))
  }

  private func arguments(_ options: [String], out: String = "out") -> [String] {
    ["eval", "--benchmark", directory.file("data"), "--out", directory.file(out)] + options
  }

  /// Runs the program by itself and gives all that it writes.
  private func outcome(_ options: [String]) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run(arguments(options), before: "exec >&2; ")
  }

  private func output(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: directory.file("out/\(name)")))
  }

  @Test("finished videos are scored; a rerun gives the same bytes in every form; the report stands by itself")
  func finished() throws {
    let options = ["--videos", directory.file("done"), "--metrics", "psnr,ssim", "--system", "S"]
    #expect(run(options) == 0)
    let names = ["results.json", "results.csv", "report.md", "report.html"]
    let first = try names.map(output)
    #expect(run(options) == 0)
    #expect(try names.map(output) == first)
    let text = String(decoding: first[0], as: UTF8.self)
    #expect(text.contains("\"category\" : \"style\"") && text.contains("\"psnr\"") && !text.contains("nan"))
    #expect(
      VAPCommand.run(["eval", "compare", directory.file("out"), directory.file("out/results.json"), "--json"]) == 0)
  }

  @Test("D03: a missing video is counted and named, and the status is 1; metrics without weights are skipped")
  func missing() throws {
    try FileManager.default.removeItem(atPath: directory.file("done/out_1.mkv"))
    #expect(run("--videos", directory.file("done"), "--metrics", "psnr,clip-score", "--no-clips") == 1)
    let markdown = String(decoding: try output("report.md"), as: UTF8.self)
    #expect(markdown.contains("1 missing: rows 1") && markdown.contains("- clip-score: needs ViT-B-32.pt"))
    #expect(run(["--videos", directory.file("done"), "--metrics", "psnr", "--rows", "0"], out: "part") == 0)
  }

  @Test("a model's videos are made, each with its seed, and scored; a run goes on where it was")
  func model() throws {
    let options = ["--model", Fixtures.path("cogvideox-tiny/checkpoint"), "--steps", "1", "--metrics", "psnr"]
    #expect(run(options) == 0)
    let first = try output("results.json")
    let video = directory.file("out/videos/vap_bench_1.mp4")
    let bytes = try Data(contentsOf: URL(fileURLWithPath: video))
    try FileManager.default.removeItem(atPath: video)
    #expect(run(options) == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: video)) == bytes)
    #expect(try output("results.json") == first)
    // Videos of other settings are there.
    #expect(run(options + ["--seed", "7"]) == 3)
  }

  @Test("results are not replaced by those of fewer rows; unreadable ones and fewer ones are")
  func fewerRows() throws {
    let options = ["--videos", directory.file("done"), "--metrics", "psnr", "--no-clips"]
    #expect(run(options + ["--rows", "1"]) == 0)
    #expect(run(options) == 0)
    let whole = try output("results.json")
    let outcome = try outcome(options + ["--rows", "1"])
    #expect(outcome.status == 2, "\(outcome.errors)")
    #expect(outcome.errors.contains("results of 2 rows, of which 0 would be lost"), "\(outcome.errors)")
    #expect(outcome.errors.contains("another --out"), "\(outcome.errors)")
    #expect(try output("results.json") == whole)
    try directory.write("{", to: "out/results.json")
    #expect(run(options + ["--rows", "1"]) == 0)
    #expect(try EvaluationResult(path: directory.file("out")).samples.map(\.row) == [1])
  }

  @Test(
    "rows are written as they are read",
    arguments: [([0, 1, 2, 3, 7], "0-3,7"), ([5], "5")] as [(Set<Int>, String)])
  func rowTexts(rows: Set<Int>, text: String) { #expect(BenchmarkInput.text(of: rows) == text) }

  @Test("a model that reads no references is refused as `vap generate` refuses it, unless none are to be shown")
  func plainModel() throws {
    let plain = try PlainCheckpoint(of: Fixtures.path("cogvideox-tiny/checkpoint"), in: directory)
    let options = ["--model", plain.path, "--steps", "1", "--metrics", "psnr", "--rows", "0", "--no-clips"]
    let outcome = try outcome(options)
    #expect(outcome.status == 3, "\(outcome.errors)")
    #expect(
      outcome.errors.contains("has no expert blocks") && outcome.errors.contains("--no-references"),
      "\(outcome.errors)")
    // The refusal left no settings behind.
    #expect(run(options + ["--no-references"]) == 0)
    #expect(try EvaluationResult(path: directory.file("out")).system == "plain, no references")
  }

  @Test("a folder that was begun with other settings is refused by the names of these")
  func otherSettings() throws {
    let model = Fixtures.path("cogvideox-tiny/checkpoint")
    let options = ["--model", model, "--steps", "1", "--metrics", "psnr", "--rows", "0", "--no-clips"]
    #expect(run(options) == 0)
    // The model's own weights, laid over it.
    for (addition, difference) in [
      (["--no-references"], "(references: shown there, none here)"),
      (["--expert", "\(model)/transformer"], "(expert or LoRA: none there, given here)"),
      (["--seed", "7"], "(seed: 42 there, 7 here)"),
    ] {
      let outcome = try outcome(options + addition)
      #expect(outcome.status == 3 && outcome.errors.contains(difference), "\(outcome.errors)")
    }
  }

  @Test("outside of a terminal videos are counted, and what is skipped is named once")
  func log() throws {
    let model = Fixtures.path("cogvideox-tiny/checkpoint")
    let outcome = try outcome(["--model", model, "--steps", "1", "--metrics", "psnr,clip-score", "--no-clips"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("\nmake videos 2/2, "), "\(outcome.errors)")
    for stage in ["denoise", "encode text", "read image", "row 0"] {
      #expect(!outcome.errors.contains(stage), "\(outcome.errors)")
    }
    #expect(outcome.errors.components(separatedBy: "clip-score").count == 2, "\(outcome.errors)")
  }

  @Test("the overview says where the options are")
  func overview() {
    let text = VAPCommand.helpMessage(for: EvalCommand.self, columns: 120)
    #expect(text.contains("`vap help eval run`") && text.contains("Example: vap eval --benchmark"), "\(text)")
  }

  @Test(
    "systems that nobody names are called by what sets them apart",
    arguments: [
      (nil, [], true, "mini"), (nil, [], false, "mini, no references"),
      ("runs/a/checkpoints/step-000016/", [], true, "mini + step-000016"),
      (
        nil, ["a/style.safetensors", "b/step-000002/pytorch_lora_weights.safetensors:0.5"], true,
        "mini + style + step-000002:0.5"
      ),
      ("e", ["l.safetensors"], false, "mini + e + l, no references"),
    ] as [(String?, [String], Bool, String)])
  func names(expert: String?, adapters: [String], showsReferences: Bool, name: String) throws {
    #expect(
      try SystemName.make(
        model: "/x/mini", expert: expert, adapters: adapters, showsReferences: showsReferences) == name)
  }

  @Test("rows whose captions the content filter refuses are missing with the reason, unless it is switched off")
  func filtered() throws {
    let table = try String(contentsOfFile: directory.file("data/benchmark/benchmark.csv"), encoding: .utf8)
    try directory.write(
      table.replacingOccurrences(of: "number 1", with: "hardcore porn"), to: "data/benchmark/benchmark.csv")
    let options = ["--model", Fixtures.path("cogvideox-tiny/checkpoint"), "--steps", "1", "--metrics", "psnr"]
    #expect(run(options) == 1)
    #expect(String(decoding: try output("results.json"), as: UTF8.self).contains("sexually explicit"))
    #expect(
      run(options + ["--no-content-filter"]) == 0)
  }

  @Test("D02, D07: contradictions, unknown names and tables that cannot be used have their statuses")
  func refusals() throws {
    let done = directory.file("done")
    #expect(run() == 2)
    #expect(run("--videos", done, "--model", "x") == 2)
    #expect(run("--videos", done, "--metrics", "beauty") == 2)
    #expect(run("--videos", done, "--rows", "1-9") == 2)
    #expect(run("--videos", done, "--clip", "b16") == 2)
    for option in [["--expert", "x"], ["--lora", "x"], ["--no-references"]] {
      #expect(run(["--videos", done] + option) == 2)
    }
    #expect(run("--model", Fixtures.path("cogvideox-tiny/checkpoint"), "--expert", directory.file("none")) == 3)
    #expect(run("--videos", directory.file("none")) == 3)
    #expect(run("--videos", done, "--weights", directory.file("none")) == 3)
    #expect(run("--videos", done, "--judge", directory.file("none.yaml")) == 3)
    try directory.write("video_paths,tar_video_caption\na,b\n", to: "data/benchmark/benchmark.csv")
    #expect(run("--videos", done) == 3)
    try directory.write(
      "video_paths,ref_video_path,tar_video_caption,ref_video_caption\n../x.mp4,r.mp4,a,b\n",
      to: "data/benchmark/benchmark.csv")
    #expect(run("--videos", done) == 3)
  }

  @Test("a judge without criteria, key or template is refused before anything is sent")
  func judges() throws {
    let done = directory.file("done")
    let judge = "name: j\ndialect: openai\naddress: http://127.0.0.1:9/v1\nmodel: m\n"
    try directory.write(judge, to: "judge.yaml")
    #expect(run("--videos", done, "--judge", directory.file("judge.yaml")) == 3)
    try directory.write("{criteria}", to: "template.txt")
    try directory.write("x", to: "criteria/style/other.txt")
    #expect(run("--videos", done, "--judge", directory.file("judge.yaml")) == 3)
    try directory.write(judge + "key-variable: VAP_TEST_KEY_THAT_IS_NOT_SET\n", to: "judge.yaml")
    try directory.write("x", to: "criteria/style/ghibli.txt")
    #expect(run("--videos", done, "--judge", directory.file("judge.yaml")) == 2)
    try directory.write(judge + "colour: red\n", to: "judge.yaml")
    #expect(run("--videos", done, "--judge", directory.file("judge.yaml")) == 3)
  }
}

@Suite("vap eval on a synthesized data set", .serialized)
struct EvalMiniatureTests {
  private let directory: TemporaryDirectory
  private var benchmark: String { directory.file("mini/benchmark/benchmark.csv") }

  init() throws {
    directory = try TemporaryDirectory()
    #expect(
      VAPCommand.run([
        "data", "synthesize", "--out", directory.file("mini"), "--videos", "48", "--group", "2", "--size", "32",
        "--frames", "9",
      ]) == 0)
  }

  private func result(_ options: [String], out: String = "out") throws -> EvaluationResult {
    #expect(VAPCommand.run(["eval", "--out", directory.file(out), "--no-clips"] + options) == 0)
    return try EvaluationResult(path: directory.file(out))
  }

  @Test("a model's clips are made and scored by what the world makes exact; metrics without weights are named")
  func model() throws {
    let model = Fixtures.path("cogvideox-tiny/checkpoint")
    let options = ["--benchmark", benchmark, "--model", model, "--steps", "1", "--rows", "0,12,24,36"]
    let result = try result(options)
    #expect(result.columns.map(\.name) == MetricKind.exact.map(\.rawValue))
    #expect(result.skipped.map(\.metric) == MetricKind.published.map(\.rawValue) && result.missingSamples.isEmpty)
    for summary in result.summaries {
      #expect(summary.count == 4 && summary.categories.map(\.name) == ["camera", "concept", "motion", "style"])
    }
    #expect(result.speeds?.count == 4)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.file("out/results.json")))
    _ = try self.result(options)
    #expect(try Data(contentsOf: URL(fileURLWithPath: directory.file("out/results.json"))) == bytes)
  }

  @Test("without references other clips are made, in a folder of their own")
  func noReferences() throws {
    let model = Fixtures.path("cogvideox-tiny/checkpoint")
    let options = ["--benchmark", benchmark, "--model", model, "--steps", "1", "--rows", "3", "--metrics", "psnr"]
    let shown = try result(options).samples[0].scores
    #expect(VAPCommand.run(["eval", "--out", directory.file("out"), "--no-clips", "--no-references"] + options) == 3)
    #expect(VAPCommand.run(["eval", "--out", directory.file("bare"), "--no-clips", "--no-references"] + options) == 0)
    #expect(try EvaluationResult(path: directory.file("bare")).samples[0].scores != shown)
  }

  @Test("with references of other conditions the own target is wrong in all rows, and what follows them is right")
  func wrongReferences() throws {
    let path = directory.file("mini/benchmark/wrong_references.csv")
    let input = try BenchmarkInput(benchmark: path, data: nil, rows: "0,13,30")
    for (name, isRight) in [("own", false), ("shown", true)] {
      for sample in input.samples {
        let truth = try #require(sample.truth)
        let clip = MiniatureClip(
          seed: truth.target.seed, subject: truth.target.subject,
          condition: isRight ? truth.reference.condition : truth.target.condition, timing: truth.reference.timing)
        var format = MiniatureClip.Format()
        (format.size, format.frames) = (32, 9)
        try directory.write("", to: "\(name)/.keep")
        try VideoWriter.write(clip.render(format), to: directory.file("\(name)/\(sample.row).mkv"))
      }
      let found = try result([
        "--benchmark", path, "--rows", "0,13,30", "--videos", directory.file(name), "--metrics", "match-pixels",
      ])
      #expect(found.samples.map { $0.scores["match-pixels"] } == .init(repeating: isRight ? 100 : 0, count: 3))
      #expect(found.summaries[0].conditions.map(\.name) == input.samples.compactMap(\.condition).sorted())
    }
  }

  @Test("the true targets match in all 48 rows; the never-trained ones too, of 28")
  func targets() throws {
    for (table, rows) in [("benchmark", 48), ("zero_shot", 8)] {
      let path = directory.file("mini/benchmark/\(table).csv")
      let input = try BenchmarkInput(benchmark: path, data: nil, rows: nil)
      #expect(input.samples.count == rows)
      let folder = directory.file("done-\(table)")
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for sample in input.samples {
        try FileManager.default.copyItem(atPath: sample.targetPath, toPath: "\(folder)/\(sample.row).mp4")
      }
      let metrics = MetricKind.exact.map(\.rawValue).joined(separator: ",")
      let result = try result(["--benchmark", path, "--videos", folder, "--metrics", metrics], out: "out-\(table)")
      let means = Dictionary(uniqueKeysWithValues: result.summaries.map { ($0.name, $0.mean ?? 0) })
      #expect(means["match-pixels"] == 100 && means["match-change"] == 100 && means["psnr"] == 100)
      #expect((means["speed-error"] ?? 1) < 0.05 && (result.speeds?.correlation ?? 0) > 0.95)
    }
  }
}

@Suite("vap weights, study and the content filter")
struct OtherCommandTests {
  @Test("weights are listed, checked and converted")
  func weights() throws {
    let directory = try TemporaryDirectory()
    #expect(VAPCommand.run(["weights", "list"]) == 0)
    #expect(VAPCommand.run(["weights", "check", directory.path]) == 0)
    let source = Fixtures.path("evaluation/loader/loader_zip.pth")
    let target = directory.file("a.safetensors")
    #expect(VAPCommand.run(["weights", "convert", source, target]) == 0)
    #expect(VAPCommand.run(["weights", "convert", source, target]) == 2)
    #expect(VAPCommand.run(["weights", "convert", source, directory.file("a.bin")]) == 2)
    let bad = Fixtures.path("evaluation/loader/bad_os_system.pth")
    #expect(VAPCommand.run(["weights", "convert", bad, directory.file("b.safetensors")]) == 3)
    try FileManager.default.copyItem(atPath: bad, toPath: directory.file("amt-s.pth"))
    #expect(VAPCommand.run(["weights", "check", directory.path]) == 1)
  }

  @Test("studies need systems and votes that are there")
  func study() throws {
    let directory = try TemporaryDirectory()
    #expect(VAPCommand.run(["study", "export", "--database", directory.file("none.sqlite")]) == 3)
    #expect(
      VAPCommand.run(["study", "serve", "--benchmark", "x", "--database", "y", "--videos", "nothing"]) == 2)
  }

  @Test("a harmful prompt is refused before any work, and the override lifts it")
  func prompts() throws {
    var settings = GenerateSettings()
    settings.model = "/nonexistent"
    settings.image = "x.png"
    settings.prompt = "a porn scene"
    #expect(throws: ContentRefusal.self) { try GenerateJob(settings) }
    settings.contentFilter = false
    _ = try GenerateJob(settings)
    #expect(VAPCommand.run(["generate", "--model", "/nonexistent", "--image", "x.png", "--prompt", "porn"]) == 3)
  }
}
