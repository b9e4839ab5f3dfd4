package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/app"
)

func (c *commandLine) storeCopyCmd() *cobra.Command {
	var o copyOptions
	cmd := &cobra.Command{
		Use: "copy --to mongodb|sqlite", Short: "Move everything between the embedded store and MongoDB", Args: args(),
		Long: "Move everything between the embedded store (UCF_DATA_DIR) and a database of MongoDB (MONGODB_URL, MONGODB_DB): the one\n" +
			"end is copied into the other, which has to be empty, and is not used again afterwards, because two stores that refresh\n" +
			"the same credentials would end them. A file gets another name, a database is marked (--undo takes that back).\n" +
			"Stop every `ucf serve` first. A copy that broke off goes on when it is run again. Jobs that ran are queued again, and\n" +
			"readers of records are told to begin anew. Credentials stay sealed as they are: take the encryption key along.",
		Example: "  MONGODB_URL=mongodb://db.example:27017 ucf store copy --to mongodb\n  ucf store copy --to sqlite",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.undo {
				return c.undoCopy(cmd.Context())
			}
			return c.copyStore(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.to, "to", "", "where to: mongodb or sqlite")
	cmd.Flags().BoolVar(&o.force, "force", false, "with --to sqlite: keep a store that is there beside, and put the copy in its place")
	cmd.Flags().BoolVar(&o.unused, "unused", false, "with --to sqlite: every ucf over the database was stopped, and none has to be waited for")
	cmd.Flags().BoolVar(&o.undo, "undo", false, "take a database of MongoDB that was copied, or whose copy broke off, back into use")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]cobra.Completion{toMongo, toSQLite}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// copyLineEvery is how many records there are to a line where no terminal shows a bar.
const copyLineEvery = 100_000

// The ends of a copy.
const (
	toMongo  = "mongodb"
	toSQLite = "sqlite"
)

// copyOptions are what a copy was asked for.
type copyOptions struct {
	to                  string
	force, unused, undo bool
}

func (o copyOptions) check() error {
	switch {
	case o.undo:
		if o != (copyOptions{undo: true}) {
			return connectors.Errorf(connectors.InvalidRequest, "--undo stands alone: it takes a database of MongoDB that was copied back into use")
		}
	case o.to != toMongo && o.to != toSQLite:
		return connectors.Errorf(connectors.InvalidRequest, "--to is %.20q: say %s or %s", o.to, toMongo, toSQLite)
	case o.to == toMongo && o.unused:
		return connectors.Errorf(connectors.InvalidRequest, "--unused is for --to sqlite: whether an embedded store is in use can be seen")
	case o.to == toMongo && o.force:
		return connectors.Errorf(connectors.InvalidRequest, "--force is for --to sqlite: a database of MongoDB that holds something is never replaced; choose another MONGODB_DB, or drop it")
	}
	return nil
}

func (c *commandLine) copyStore(ctx context.Context, o copyOptions) error {
	a, err := c.build(true, "")
	if err != nil {
		return err
	}
	bar := progressBar{c: c}
	progress := func(done app.Copied, total int) {
		bar.what = done.Collection
		if c.spins() || done.Found%copyLineEvery == 0 {
			bar.show(done.Found, total)
		}
	}
	var out app.Moved
	if o.to == toMongo {
		out, err = a.CopyToMongo(ctx, progress)
	} else {
		if !o.unused {
			c.note("waiting 40 s, until every ucf over the database has seen that it is copied; --unused does without")
		}
		out, err = a.CopyToSQLite(ctx, o.force, o.unused, progress)
	}
	bar.end()
	if err != nil {
		return err
	}
	if err := c.show(out, copiedView(out.Collections)); err != nil {
		return err
	}
	c.copyNotes(a, o.to, out)
	return nil
}

// copyNotes tells what to do now.
func (c *commandLine) copyNotes(a *app.App, to string, out app.Moved) {
	if out.Kept != "" {
		c.notef("the store that was there is %s now", out.Kept)
	}
	if to == toSQLite {
		c.note("unset MONGODB_URL from now on; the database refuses to be used, and can be dropped when this store has been backed up")
	} else {
		c.notef("keep MONGODB_URL set from now on; the embedded store is %s now, and can be removed when the database has been backed up", out.Origin)
	}
	if to == toMongo && a.Config.EncryptionKey.IsZero() {
		c.notef("set ENCRYPTION_KEY to what %s holds: MongoDB needs it, and every process over it the same", a.Config.KeyFile())
	}
}

func (c *commandLine) undoCopy(ctx context.Context) error {
	a, err := c.build(true, "")
	if err != nil {
		return err
	}
	if err := a.UndoCopy(ctx); err != nil {
		return err
	}
	c.note("the database is in use again: do not use the embedded store that it was copied to")
	return nil
}

func copiedView(list []app.Copied) view {
	v := view{head: []string{"COLLECTION", "FOUND", "WRITTEN", "STORED"}}
	for _, one := range list {
		v.rows = append(v.rows, []string{one.Collection, fmt.Sprint(one.Found), fmt.Sprint(one.Written), fmt.Sprint(one.Stored)})
	}
	return v
}
