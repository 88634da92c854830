import Evaluation
import Foundation
import Judging
import Runtime

/// A judge as its YAML file describes it, with its texts and its key.
struct JudgeInput {
  let settings: JudgeSettings
  private let template: JudgeTemplate
  private let criteria: JudgeCriteria
  private let key: String?

  /// - Parameters:
  ///   - template, criteria: replace `template.txt` and `criteria` beside the file.
  init(file path: String, template: String?, criteria: String?) throws {
    let file = try SettingsFile(path: path)
    try file.checkKeys(JudgeSettings.CodingKeys.allCases.map(\.rawValue))
    settings = try file.decode(JudgeSettings.self) ?? JudgeSettings()
    try settings.validate(path: path)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    self.template = try JudgeTemplate(path: template ?? "\(folder)/template.txt")
    self.criteria = try JudgeCriteria(directory: criteria ?? "\(folder)/criteria")
    key = try settings.keyVariable.map { variable in
      guard let key = ProcessInfo.processInfo.environment[variable], !key.isEmpty else {
        throw JudgeFailure.noKey(variable: variable)
      }
      return key
    }
  }

  /// Throws unless there are criteria for all samples, before anything is sent.
  func check(_ samples: [BenchmarkSample]) throws {
    for sample in samples { _ = try criteria.text(for: sample.condition) }
  }

  func run(
    on result: inout EvaluationResult, _ samples: [BenchmarkSample], _ clips: ClipSource, output: String,
    observer: RunObserver
  ) throws {
    let judge = try Judge(
      settings, key: key, directory: "\(output)/judge/\(settings.name)", transport: SystemTransport())
    let questions = JudgeClips(template: template, criteria: criteria, clips: clips, scratch: output)
    try judge.judge(&result, samples, questions, observer: observer)
  }
}
