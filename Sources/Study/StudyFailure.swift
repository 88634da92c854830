import Runtime

/// Why a study cannot be held or read.
package enum StudyFailure: Failure, Equatable {
  case systems(String)
  case noQuestions
  case database(path: String, reason: String)
  case otherStudy(path: String)
  case server(address: String, reason: String)

  package var category: FailureCategory {
    switch self {
    case .systems: .usage
    case .noQuestions, .database, .otherStudy: .badInput
    case .server: .resources
    }
  }

  package var message: String {
    switch self {
    case .systems(let problem): problem
    case .noQuestions: "there is no row of which all systems have a video (.mp4, .webm or .mov, its name ending in the row)"
    case .database(let path, let reason): "\(printable(path, limit: 1024)): \(printable(reason))"
    case .otherStudy(let path):
      "\(printable(path, limit: 1024)): holds votes of a study with other systems or rows; choose another --database"
    case .server(let address, let reason): "cannot serve on \(printable(address)): \(printable(reason))"
    }
  }
}
