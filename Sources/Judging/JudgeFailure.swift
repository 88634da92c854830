import Runtime

/// Why a judge cannot be asked.
package enum JudgeFailure: Failure, Equatable {
  case template(path: String, count: Int)
  case notText(path: String)
  case emptyCriteria(path: String)
  case repeatedCriteria(condition: String, directory: String)
  case noCondition
  case noCriteria(condition: String, path: String)
  case settings(path: String, problem: String)
  case noKey(variable: String)
  /// The service refuses everything: a wrong key, address or model.
  case refused(judge: String, status: Int, answer: String)

  package var category: FailureCategory {
    switch self {
    case .noKey: .usage
    default: .badInput
    }
  }

  package var message: String {
    switch self {
    case .template(let path, let count):
      "\(name(path)): must have \(JudgeTemplate.placeholder) exactly once, where the criteria go, not \(count) times"
    case .notText(let path): "\(name(path)): is not UTF-8 text of at most 1 MiB"
    case .emptyCriteria(let path): "\(name(path)): is empty; write what the judge has to look for"
    case .repeatedCriteria(let condition, let directory):
      "\(name(directory)): two files describe the condition '\(printable(condition))'"
    case .noCondition: "the benchmark has no column 'kind', so the judge's criteria cannot be chosen"
    case .noCriteria(let condition, let path):
      "there are no criteria for the condition '\(printable(condition))'; write them to \(name(path))"
    case .settings(let path, let problem): "\(name(path)): \(printable(problem))"
    case .noKey(let variable):
      "the environment variable \(printable(variable)) is not set; it holds the key of the judge's service"
    case .refused(let judge, let status, let answer):
      "the judge '\(printable(judge))' refuses requests with status \(status): \(printable(answer, limit: 300))"
    }
  }

  private func name(_ path: String) -> String { printable(path, limit: 1024) }
}
