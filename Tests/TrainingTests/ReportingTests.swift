import Backbones
import Datasets
import Foundation
import Media
import TestSupport
import Testing

@testable import Training

@Suite("Report of a run")
struct ReportingTests {
  private let directory: TemporaryDirectory
  private let folder: RunFolder

  init() throws {
    directory = try TemporaryDirectory()
    folder = RunFolder(path: directory.file("run"))
  }

  private func record(_ step: Int, loss: Double, norm: Double? = 1, skipped: String? = nil) -> StepRecord {
    StepRecord(
      step: step, loss: loss, learningRate: 1e-3, gradientNorm: norm, samples: step, skipped: skipped)
  }

  private func history(_ count: Int) -> RunHistory {
    var history = RunHistory()
    for step in 1...count { history.append(record(step, loss: step == 500 ? 90 : 1 / Double(step))) }
    return history
  }

  private func facts(bad: BadItems = BadItems()) -> RunFacts {
    var progress = TrainingProgress()
    progress.step = 100
    return RunFacts(
      name: "<run>", progress: progress, steps: 200,
      identity: RunIdentity(settings: ["learning-rate": "0.001", "a & b": "1"], data: "d1", model: "m1"),
      details: [RunDetail("model", "CogVideoX")], bad: bad, pace: RunPace())
  }

  /// Writes a validation's record, and its clip if asked.
  private func validate(_ step: Int, clip: Bool = true) throws {
    try FileManager.default.createDirectory(atPath: folder.validation, withIntermediateDirectories: true)
    try ValidationRecord(
      step: step, caption: "A <clip>", panels: ["reference", "target", "generated"],
      metrics: ["psnr": Double(step), "broken": .nan]
    ).write(to: folder)
    guard clip else { return }
    let size = FrameSize(width: 96, height: 24)
    let pixels = (0..<3 * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * step) }
    var options = VideoWriter.Options()
    options.overwrites = true
    try VideoWriter.write(
      VideoClip(size: size, frameRate: .training, pixels: pixels), to: folder.validationClip(step: step),
      options: options)
  }

  @Test("curves keep spikes and are no longer than a plot is wide; the smoothed loss is that of the progress")
  func curves() {
    let history = history(5000)
    let points = history.curve(\.losses)
    #expect(points.count <= 600 && points.contains { $0.x == 500 && $0.y == 90 })
    #expect(zip(points, points.dropFirst()).allSatisfy { $0.x < $1.x })
    var progress = TrainingProgress()
    for loss in history.losses { progress.finishStep(loss: Double(loss), isUpdated: true) }
    let (found, expected) = (history.smoothedLosses.last?.y ?? 0, progress.smoothedLoss ?? 1)
    #expect(abs(found - expected) < 1e-9)
    #expect(RunHistory().curve(\.losses).isEmpty && RunHistory().smoothedLosses.isEmpty)
  }

  @Test("a log is read back with what is not finite; broken lines are counted")
  func log() throws {
    let log = try RunLog(path: directory.file("log.jsonl"))
    try log.append([record(1, loss: 0.5), record(2, loss: .nan, norm: nil, skipped: "the loss is not finite")])
    var text = try String(contentsOfFile: log.path, encoding: .utf8)
    text += "{\"step\": \nnonsense\n"
    try directory.write(text, to: "log.jsonl")
    let history = try RunHistory(log: log.path)
    #expect(history.steps == [1, 2] && history.losses[0] == 0.5 && history.losses[1].isNaN)
    #expect(history.skipped == [.init(step: 2, reason: "the loss is not finite")])
    #expect(history.unreadableLines == 2)
  }

  @Test("steps are written about once a second, and all of them before anything counts on it")
  func journal() throws {
    let journal = try RunJournal(folder)
    // What a killed process leaves of a clip goes; clips stay.
    let (leftover, clip) = ("\(folder.validation)/.partial-1-.strip-1.mp4", "\(folder.validation)/step-000001.mp4")
    for path in [leftover, clip] { try Data([1]).write(to: URL(fileURLWithPath: path)) }
    try journal.resume(after: 0, logBytes: 0) { _ in }
    #expect(!FileManager.default.fileExists(atPath: leftover) && FileManager.default.fileExists(atPath: clip))
    func lines(_ path: String) throws -> Int {
      try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count
    }
    for step in 1...3 {
      let timing = StepTiming(step: step, seconds: 1, loadingSeconds: 0, loggingSeconds: 0, samplesPerSecond: 1)
      try journal.append(record(step, loss: Double(step)), timing)
    }
    // The first at once; whoever runs this has less than a second for the others.
    #expect(try lines(folder.log) == 1 && lines(folder.timings) == 1)
    #expect(try journal.sync() == Data(contentsOf: URL(fileURLWithPath: folder.log)).count)
    #expect(try lines(folder.log) == 3 && lines(folder.timings) == 3)
    #expect(try RunHistory(log: folder.log).steps == [1, 2, 3])
  }

  @Test("lines for the terminal come now and then, and for the last step")
  func pace() throws {
    var meter = RateMeter(steps: 3)
    let lines = (1...3).map { meter.line(record($0, loss: 0.5)) }
    #expect(lines[0]?.hasPrefix("train 1/3  loss 0.5000") == true && lines[1] == nil && lines[2] != nil)
  }

  @Test("the page has curves, clips with the newest first, what was left out, settings, and all it needs")
  func page() throws {
    for step in [1, 50, 100, 150] { try validate(step) }
    var clips = ValidationClips(folder)
    let entries = try clips.entries(upTo: 100)
    #expect(entries.map(\.step) == [100, 50, 1])
    var bad = BadItems()
    bad.note(row: 7, video: "a<b>.mp4", reason: "is broken")
    var history = history(100)
    history.append(record(101, loss: .infinity, skipped: "the loss is not finite"))
    let page = TrainingReport(facts(bad: bad), history, entries).text
    #expect(page.hasPrefix("<!doctype html>") && page.contains("Training of &lt;run&gt;"))
    #expect(page.components(separatedBy: "<svg").count == 1 + 4)
    #expect(page.components(separatedBy: "data:video/mp4;base64,").count == 1 + 3)
    let places = try [100, 50, 1].map { try #require(page.range(of: "Step \($0)</h3>")).lowerBound }
    #expect(places == places.sorted())
    for part in [
      "<span>reference</span><span>target</span><span>generated</span>", "A &lt;clip&gt;", "Steps without effect: 1",
      "row 7: a&lt;b&gt;.mp4: is broken", "a &amp; b", "learning-rate", "CogVideoX", "d1", "m1",
      "Validation: PSNR to the target, dB",
    ] {
      #expect(page.contains(part), "\(part)")
    }
    #expect(!page.contains("src=\"http") && !page.contains("url(") && !page.contains("nan"))
  }

  @Test("a long run shows its first and its newest clips, and names the others")
  func manyClips() throws {
    for step in 1...45 { try validate(step, clip: step == 1 || step > 6) }
    var clips = ValidationClips(folder)
    let entries = try clips.entries(upTo: 100)
    #expect(entries.count == 45)
    let shown = entries.filter { $0.strip != nil }.map(\.step)
    #expect(shown == (7...45).reversed() + [1])
    let page = TrainingReport(facts(), history(3), entries).text
    #expect(page.contains("<a href=\"validation/step-000002.mp4\">2</a>"))
  }

  @Test("a clip or record that cannot be read is named on the page")
  func broken() throws {
    try validate(1)
    try validate(2)
    try directory.write("no video", to: "run/validation/step-000002.mp4")
    try directory.write("{", to: "run/validation/step-000003.json")
    var clips = ValidationClips(folder)
    let entries = try clips.entries(upTo: 3)
    #expect(entries.map { $0.fault != nil } == [true, true, false])
    #expect(TrainingReport(facts(), history(3), entries).text.contains("class=\"warning\""))
  }

  @Test("a run writes its page and its events; a clip that a dead process did not come to is made on resuming")
  func run() throws {
    let training = TinyTraining()
    var settings = RunSettings()
    settings.steps = 4
    settings.saveEvery = 2
    settings.validateEvery = 2
    var validated: [Int] = []
    func go() throws {
      var run = try TrainingRun(
        training.trainer(), in: folder, settings, identity: training.identity(),
        configuration: TinyTraining.configuration)
      try run.resume { _ in }
      let validation: TrainingRun<CogVideoXTraining>.Validation = { trainer in
        validated.append(trainer.progress.step)
        try validate(trainer.progress.step)
        return ValidationRecord(
          step: trainer.progress.step, caption: "c", panels: ["generated"], metrics: ["psnr": 3])
      }
      try run.run({ _ in }, validate: validation)
    }
    try go()
    #expect(validated == [1, 2, 4])
    let page = try String(contentsOfFile: folder.report, encoding: .utf8)
    #expect(page.contains("Step 4 of 4") && page.contains("went into data"))
    #expect(page.components(separatedBy: "data:video/mp4").count == 1 + 3)
    // As if it had died between the last checkpoint and its validation.
    try FileManager.default.removeItem(atPath: folder.validationRecord(step: 4))
    try go()
    try go()
    #expect(validated == [1, 2, 4, 4])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.events).count == 3)
  }
}
