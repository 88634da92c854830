import Checkpoints
import Foundation

/// Reading a judge's answer: free text that ends in a JSON object with the score.
package enum JudgeAnswer {
  /// The score of an answer, 1 to 100.
  ///
  /// The last JSON object of the text that has a member `score` counts, whatever stands around it. Nil if there is none,
  /// or if its score is anything but a whole number from 1 to 100: quoted digits, fractions and truth values are failed
  /// answers, not scores.
  package static func score(in text: String) -> Int? {
    guard let last = objects(in: text).last(where: { $0.keys.contains("score") }),
      case .number(let digits) = last["score"], digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let score = Int(digits), (1...100).contains(score)
    else { return nil }
    return score
  }

  /// The JSON objects of a text that do not lie inside of others, in order.
  private static func objects(in text: String) -> [[String: JSONValue]] {
    let bytes = Array(text.utf8)
    var objects: [[String: JSONValue]] = []
    var place = 0
    while let start = bytes[place...].firstIndex(of: UInt8(ascii: "{")) {
      if let end = closing(bytes, from: start),
        case .object(let members) = JSONValue(parsing: Data(bytes[start...end]))
      {
        objects.append(members)
        place = end + 1
      } else {
        place = start + 1
      }
    }
    return objects
  }

  /// Where the brace that opens at `start` is closed; braces inside of strings do not count.
  private static func closing(_ bytes: [UInt8], from start: Int) -> Int? {
    var (depth, isInString, isEscaped) = (0, false, false)
    for place in start..<bytes.count {
      switch bytes[place] {
      case _ where isEscaped: isEscaped = false
      case UInt8(ascii: "\\") where isInString: isEscaped = true
      case UInt8(ascii: "\""): isInString.toggle()
      case UInt8(ascii: "{") where !isInString: depth += 1
      case UInt8(ascii: "}") where !isInString:
        depth -= 1
        if depth == 0 { return place }
      default: break
      }
    }
    return nil
  }
}
