import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Judging

@Suite("Reading a judge's answer")
struct JudgeAnswerTests {
  @Test("the recorded answers have the recorded scores")
  func recorded() throws {
    let cases = try ConfigFile(path: Fixtures.path("evaluation/judge_cases.json")).contents["cases"]?.array ?? []
    try #require(cases.count > 10)
    for item in cases {
      let answer = try #require(item["answer"]?.string)
      #expect(JudgeAnswer.score(in: answer) == item["score"]?.int, "\(answer)")
    }
  }

  @Test(
    "the last object with a score decides, and only a whole number in range is one",
    arguments: [
      ("{\"score\": 50} or rather {\"score\": 101}", nil), ("{\"score\": 50} {\"why\": \"{\\\"score\\\": 9}\"}", 50),
      ("{\"score\": 8.7e1}", nil), ("{\"score\": 087}", nil), ("{\"score\": 5, \"score\": 6}", nil),
      ("{ nonsense {\"score\": 33} }", 33), ("{\"a\": {\"score\": 33}}", nil), ("{\"score\": [9]}", nil),
      ("{\"score\": 99999999999999999999}", nil), ("\u{FEFF}{\"score\": 7}\n", 7),
    ])
  func strict(answer: String, score: Int?) {
    #expect(JudgeAnswer.score(in: answer) == score)
  }
}
