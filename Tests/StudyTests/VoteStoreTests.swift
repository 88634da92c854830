import Foundation
import TestSupport
import Testing

@testable import Study

@Suite("Votes")
struct VoteStoreTests {
  @Test("votes are kept, a second vote on a row replaces the first, and names are only data")
  func stores() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("votes.sqlite")
    let person = "'; DROP TABLE vote; --"
    do {
      let store = try VoteStore(path: path, study: "one")
      try store.store([
        Vote(participant: person, row: 3, aspect: .alignment, system: "A"),
        Vote(participant: person, row: 3, aspect: .quality, system: "B"),
      ])
      try store.store([Vote(participant: person, row: 3, aspect: .quality, system: "A")])
      #expect(try store.finishedRows(of: person) == [3])
      #expect(try store.finishedRows(of: "nobody").isEmpty)
    }
    let votes = try VoteStore(path: path, study: nil).votes()
    #expect(votes.map(\.aspect) == [.alignment, .quality] && votes.map(\.system) == ["A", "A"])
    #expect(throws: StudyFailure.otherStudy(path: path)) { try VoteStore(path: path, study: "two") }
  }

  @Test("files that are no database, and places that cannot be written, are refused in one line")
  func refusals() throws {
    let directory = try TemporaryDirectory()
    let text = try directory.write("not a database, but longer than its header is", to: "a.sqlite")
    #expect(throws: StudyFailure.self) { try VoteStore(path: text, study: "one") }
    #expect(throws: StudyFailure.self) { try VoteStore(path: directory.file("none/b.sqlite"), study: "one") }
    #expect(throws: StudyFailure.self) { try VoteStore(path: directory.file("none.sqlite"), study: nil) }
  }
}

@Suite("Preference rates")
struct PreferenceRatesTests {
  @Test("rates are shares of the votes, with intervals over people")
  func rates() throws {
    let votes = (0..<10).flatMap { person in
      (0..<4).map { row in
        Vote(participant: "p\(person)", row: row, aspect: .alignment, system: row == 0 || person == 0 ? "B" : "A")
      }
    }
    let rates = PreferenceRates(votes)
    #expect(rates.participants == 10 && rates.votes == 40)
    let a = try #require(rates.rates.first { $0.system == "A" && $0.aspect == "both" })
    #expect(a.votes == 27 && a.percent == 67.5)
    let (lower, upper) = (try #require(a.lower), try #require(a.upper))
    #expect(lower < 67.5 && upper > 67.5 && upper <= 80)
    #expect(rates.rates.filter { $0.aspect == "quality" }.allSatisfy { $0.votes == 0 && $0.percent == 0 })
    #expect(rates.csv.split(separator: "\n").count == 7)
  }
}
