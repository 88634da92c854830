import Evaluation
import Foundation
import Media
import Runtime

/// Makes questions: the text, the reference, and the clip to judge, as small as the judge's settings say.
package struct JudgeClips: Sendable {
  private let template: JudgeTemplate
  private let criteria: JudgeCriteria
  private let clips: ClipSource
  /// For files while they are written.
  private let scratch: String

  package init(template: JudgeTemplate, criteria: JudgeCriteria, clips: ClipSource, scratch: String) {
    self.template = template
    self.criteria = criteria
    self.clips = clips
    self.scratch = scratch
  }

  func question(_ sample: BenchmarkSample, _ settings: JudgeSettings) throws -> JudgeQuestion {
    let text = template.text(criteria: try criteria.text(for: sample.condition))
    guard let path = try clips.file(row: sample.row) else {
      throw FileFailure(path: "row \(sample.row)", action: "find its video", code: ENOENT)
    }
    let generated = try clips.read(path, observer: { _ in })
    let reader = try VideoReader(path: sample.referencePath)
    let count = try reader.frameCount()
    let reference = try reader.readFrames(
      at: FrameSelection.evenIndices(selecting: min(count, Self.mostFrames), of: count))
    return JudgeQuestion(
      parts: [.text(text), .text("REFERENCE video:")] + (try parts(reference, settings))
        + [.text("TEST video:")] + (try parts(generated, settings)))
  }

  /// Frames of a longer reference that are sent as a video.
  private static let mostFrames = 129

  private func parts(_ clip: VideoClip, _ settings: JudgeSettings) throws -> [JudgeQuestion.Part] {
    let small = Self.shrunk(clip, side: settings.side)
    switch settings.media {
    case .frames:
      let indices = FrameSelection.evenIndices(selecting: min(settings.frames, clip.frameCount), of: clip.frameCount)
      return try indices.map { index in
        .media(type: "image/png", data: try ImageWriter.pngData(small.selecting([index]), path: "a frame"))
      }
    case .video:
      let file = "\(scratch)/judged-\(getpid()).mp4"
      defer { unlink(file) }
      var options = VideoWriter.Options()
      options.overwrites = true
      options.quality = 23
      try VideoWriter.write(small, to: file, options: options)
      return [.media(type: "video/mp4", data: try Data(contentsOf: URL(fileURLWithPath: file)))]
    }
  }

  /// The shorter side at most `side`, both even as the video's format needs.
  private static func shrunk(_ clip: VideoClip, side: Int) -> VideoClip {
    let scale = min(1, Double(side) / Double(min(clip.width, clip.height)))
    let even = { (length: Int) in max(2, Int((Double(length) * scale / 2).rounded()) * 2) }
    return clip.resized(to: FrameSize(width: even(clip.width), height: even(clip.height)))
  }
}

extension Judge {
  /// Judges the clips of all samples and fills the judge's column of a result.
  package func judge(
    _ result: inout EvaluationResult, _ samples: [BenchmarkSample], _ clips: JudgeClips, observer: RunObserver
  ) throws {
    let column = JudgeColumn.name(settings.name)
    let present = samples.filter { sample in
      result.samples.contains { $0.row == sample.row && $0.video != nil }
    }
    let (verdicts, usage) = try run(present, observer: observer) { try clips.question($0, settings) }
    result.columns.append(
      EvaluationResult.Column(
        name: column, title: PublishedResults.judges[column] ?? "Alignment (\(settings.name))", model: settings.model))
    for index in result.samples.indices {
      switch verdicts[result.samples[index].row] {
      case .score(let score): result.samples[index].scores[column] = Double(score)
      case .missing(let reason): result.samples[index].notes[column] = reason
      case nil: break
      }
    }
    result.judges.append(usage)
  }
}
