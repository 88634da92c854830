import Compute
import Evaluation
import Foundation

/// Which share of the votes each system got, in percent, as the paper's user study reports it.
package struct PreferenceRates: Codable, Sendable, Equatable {
  package struct Rate: Codable, Sendable, Equatable {
    package let system: String
    /// An aspect, or "both" for all votes.
    package let aspect: String
    package let votes: Int
    package let percent: Double
    /// Ends of a 95 % bootstrap interval over participants: votes of one person go together. Nil for one participant.
    package let lower: Double?
    package let upper: Double?
  }

  package let participants: Int
  package let votes: Int
  package let rates: [Rate]

  private static let seed: UInt64 = 42

  package init(_ votes: [Vote]) {
    let systems = Set(votes.map(\.system)).sorted()
    let people = Set(votes.map(\.participant)).sorted()
    self.votes = votes.count
    participants = people.count
    let groups = StudyAspect.allCases.map { aspect in (aspect.rawValue, votes.filter { $0.aspect == aspect }) }
    rates = (groups + [("both", votes)]).flatMap { name, group in
      let byPerson = people.map { person in group.filter { $0.participant == person } }.filter { !$0.isEmpty }
      return systems.map { system in
        let count = group.count { $0.system == system }
        let shares = byPerson.map { votes in
          100 * Double(votes.count { $0.system == system }) / Double(votes.count)
        }
        var generator = RandomGenerator(seed: Self.seed)
        let interval = BootstrapInterval(of: shares, using: &generator)
        return Rate(
          system: system, aspect: name, votes: count,
          percent: group.isEmpty ? 0 : 100 * Double(count) / Double(group.count), lower: interval?.lower,
          upper: interval?.upper)
      }
    }
  }

  package var csv: String {
    let lines = rates.map { rate in
      [
        "\"\(rate.system.replacingOccurrences(of: "\"", with: "\"\""))\"", rate.aspect, "\(rate.votes)",
        "\(rate.percent)", rate.lower.map { "\($0)" } ?? "", rate.upper.map { "\($0)" } ?? "",
      ].joined(separator: ",")
    }
    return (["system,aspect,votes,percent,lower,upper"] + lines).map { $0 + "\n" }.joined()
  }
}
