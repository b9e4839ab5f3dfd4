package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
)

// ChangeRecord changes a record of the Salesforce org as people do while a client works, and returns its id, or that of the
// comment that was made. The changes, with what `to` is:
//
//	record edit      to is the new text of a comment or post, else of the description, or empty
//	record delete    into the recycle bin; the comment or post of that id too
//	record comment   on a case or a post; to is the text
//	record post      in the feed of an account, case or opportunity; to is the text
func (s *Server) ChangeRecord(change, id, to string) (string, error) {
	v, err := s.recordOf(id)
	if err != nil {
		return "", err
	}
	to = cmp.Or(to, "said")
	switch {
	case change == "record edit":
		err = s.org.rewriteText(v, to)
	case change == "record delete":
		err = s.DeleteRecord(id)
	case change == "record post":
		return s.CreateRecord("FeedItem", map[string]any{"ParentId": v.id(), "Body": to})
	case change == "record comment" && v.object.name == "Case":
		return s.CreateRecord("CaseComment", map[string]any{"ParentId": v.id(), "CommentBody": to})
	case change == "record comment" && v.object.name == "FeedItem":
		return s.CreateRecord("FeedComment", map[string]any{"FeedItemId": v.id(), "CommentBody": to})
	default:
		return "", fmt.Errorf("sandbox: the change %q of a %s is not known", change, v.object.name)
	}
	return v.id(), err
}

// rewriteText gives a record another text. People can edit what the API cannot, such as posts.
func (g *org) rewriteText(v view, to string) error {
	for _, name := range []string{"CommentBody", "Body", "Description"} {
		f := v.object.field(name)
		if f == nil {
			continue
		}
		if refused := g.rewrite(v.object, v.row, func(next *change) *dataError {
			next.values[f.name] = textDatum(to)
			g.stampChange(v.object, next, 0)
			return nil
		}); refused != nil {
			return refused
		}
		return nil
	}
	return &dataError{status: http.StatusBadRequest, code: "INVALID_FIELD", message: "a " + v.object.name + " has no text"}
}
